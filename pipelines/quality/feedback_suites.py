"""What must hold of what customers' texts are read for, and of the drivers of low scores. Part of `suites`."""

from pipelines.quality.rules import Suite, none_where

TOPIC_SUMS = """(
  select known_from, feedback_id, sum(weight) as weight, count(*) - count(distinct topic) as repeated
  from ml.feedback_topics group by all
)"""

FEEDBACK = (
    Suite(
        "ml.feedback_sentiment",
        "ml",
        "ml.feedback_sentiment",
        "known_from",
        (
            none_where(
                "sentiment_as_probability",
                {
                    "not a probability": "positive_probability not between 0 and 1",
                    "label": "(sentiment = 'unknown') <> (positive_probability is null) "
                    "or sentiment = 'negative' and positive_probability > 0.5 "
                    "or sentiment = 'positive' and positive_probability < 0.5",
                },
                "The label says what the probability says; a report of one would contradict a report of the other.",
            ),
        ),
    ),
    Suite(
        "ml.feedback_topics",
        "ml",
        TOPIC_SUMS,
        "known_from",
        (
            none_where(
                "topics_share_the_text",
                {"weights": "abs(weight - 1) > 1e-4", "repeated": "repeated > 0"},
                "The topics of a text are named once and their weights sum to 1; else a topic is counted too often.",
            ),
        ),
    ),
    Suite(
        "ml.text_model_quality",
        "ml",
        "ml.text_model_quality",
        "as_of",
        (
            none_where(
                "grades_possible",
                {
                    "counts": "true_low_count > least(low_count, predicted_low_count) "
                    "or greatest(low_count, predicted_low_count) > n",
                    "auc": "auc not between auc_low and auc_high",
                },
                "What is found is part of what there is, and an estimate lies in its interval.",
            ),
        ),
    ),
    Suite(
        "ml.cx_drivers",
        "ml",
        "ml.cx_drivers",
        "as_of",
        (
            none_where(
                "effects_in_their_intervals",
                {
                    "effect": "not isfinite(effect_on_low_share) "
                    "or effect_on_low_share not between effect_low and effect_high",
                    "score": "not isfinite(effect_on_score) "
                    "or effect_on_score not between score_effect_low and score_effect_high",
                },
                "An estimate without a finite interval around it is a fit that failed.",
            ),
        ),
    ),
)
