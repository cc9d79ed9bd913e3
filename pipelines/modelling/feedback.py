"""What customers' texts say: one reading per version of a response, made once, and the grade of the readings.

A reading is a function of the text and the frozen model alone (`models_ml.text_model`), so only texts without one are
read, and any order of days ends in the same rows. The text itself stays in raw; it is in memory while it is read.
"""

from datetime import date
from typing import ClassVar

import pandas as pd
import pyarrow as pa

from models_ml import text_model, text_quality
from pipelines.modelling.context import Context
from pipelines.modelling.tables import MlTable

# Grades cover the answers of this many days up to the as-of day.
GRADED_DAYS = 365
KEYS = ["feedback_id", "known_from"]
# Scores that are clearly low and clearly high, per scale; what lies between is no yardstick for a text.
IS_LOW = """case scale
    when 'nps_0_10' then score <= 6 when 'stars_1_5' then score <= 2 when 'csat_1_5' then score <= 2
    when 'ces_1_7' then score <= 3 end"""
IS_HIGH = """case scale
    when 'nps_0_10' then score >= 9 when 'stars_1_5' then score >= 4 when 'csat_1_5' then score >= 4
    when 'ces_1_7' then score >= 5 end"""

_VERSION = {
    "feedback_id": ("VARCHAR NOT NULL", "Response (int_feedback_versioned)."),
    "known_from": ("DATE NOT NULL", "Delivery day from which on this version of the response was known."),
}
_MODEL = ("VARCHAR NOT NULL", "Version of the frozen text model; another version reads all texts again.")
_CHANCE = ("DOUBLE", "Chance that who wrote it is pleased, 0 to 1; null where the text does not tell.")
_SENTIMENT = "negative (chance below 0.4), neutral, positive (above 0.6), or unknown."

FEEDBACK_SENTIMENT = MlTable(
    "feedback_sentiment",
    "One row per response with a comment and version of it: its language and how pleased it sounds. No text.",
    _VERSION
    | {
        "file_id": ("VARCHAR NOT NULL", "File of the record that was read (ops.files)."),
        "record_no": ("BIGINT NOT NULL", "Number of the record in its file, from 1."),
        "comment_length": ("BIGINT NOT NULL", "Characters of the comment."),
        "text_kind": ("VARCHAR NOT NULL", "words, signs (emoji and punctuation alone), or empty."),
        "language": ("VARCHAR NOT NULL", "de, en or pt; other for a language not read; unknown where it is unsure."),
        "sentiment": ("VARCHAR NOT NULL", f"Of the whole text: {_SENTIMENT}"),
        "positive_probability": _CHANCE,
        "topic_count": ("BIGINT NOT NULL", "Topics the text speaks of."),
        "model_version": _MODEL,
    },
    deps=("raw.feedback", "marts.fct_feedback"),
    owner="team:customer-care",
)
FEEDBACK_TOPICS = MlTable(
    "feedback_topics",
    "One row per response, version of it and topic it speaks of. Topics are those of dim_feedback_topics.",
    _VERSION
    | {
        "topic": ("VARCHAR NOT NULL", "Topic (dim_feedback_topics)."),
        "weight": ("DOUBLE NOT NULL", "Share of the topic in all topic words of the text; a text's weights sum to 1."),
        "sentiment": ("VARCHAR NOT NULL", f"Of the clauses that name the topic: {_SENTIMENT}"),
        "positive_probability": _CHANCE,
        "language": ("VARCHAR NOT NULL", "Language of the text: de, en, pt or unknown."),
        "model_version": _MODEL,
    },
    deps=("ml.feedback_sentiment",),
    owner="team:customer-care",
)
TEXT_MODEL_QUALITY = MlTable(
    "text_model_quality",
    "One row per as-of day, language and `all`: readings of the last 365 days against scores given beside them. The "
    "model was fitted on none of these texts.",
    {
        "as_of": ("DATE NOT NULL", "Day from whose knowledge the grade was given."),
        "model_version": _MODEL,
        "language": ("VARCHAR NOT NULL", "Language as read, or all."),
        "n": ("BIGINT NOT NULL", "Texts with a clearly low or clearly high score."),
        "low_count": ("BIGINT NOT NULL", "Of these with a low score: 0-6 of 10, 1-2 of 5, 1-3 of 7."),
        "predicted_low_count": ("BIGINT NOT NULL", "Texts read as more displeased than pleased."),
        "true_low_count": ("BIGINT NOT NULL", "Of these with a low score."),
        "silent_count": ("BIGINT NOT NULL", "Texts of which the model claims nothing; they count as not low."),
        "precision_low": ("DOUBLE", "true_low_count over predicted_low_count."),
        "recall_low": ("DOUBLE", "true_low_count over low_count."),
        "f1_low": ("DOUBLE", "Harmonic mean of precision and recall."),
        "auc": ("DOUBLE", "Chance that a text with a low score is read as less pleased than one with a high score."),
        "auc_low": ("DOUBLE", "Lower bound of its 95 % interval (Hanley and McNeil)."),
        "auc_high": ("DOUBLE", "Upper bound of its 95 % interval."),
    },
    deps=("ml.feedback_sentiment",),
    owner="team:customer-care",
)

# Versions with a comment up to the day, and whether a reading of theirs by this model stands.
WANTED = """
    create or replace temp table texts_wanted as
    select feedback_id, known_from, _file_id as file_id, _record_no as record_no, comment_length
    from intermediate.int_feedback_versioned
    where known_from <= $day and comment_length > 0
"""
OUTDATED = """
    delete from ml.{table}
    where known_from <= $day and (feedback_id, known_from) in (
        select (feedback_id, known_from)
        from ml.feedback_sentiment as readings anti join texts_wanted
            using (feedback_id, known_from, file_id, record_no, comment_length)
        where known_from <= $day
        union all
        select (feedback_id, known_from) from ml.feedback_sentiment where model_version <> $model_version
    )
"""
UNREAD = """
    select wanted.*, trim(records.comment_text) as comment
    from texts_wanted as wanted anti join ml.feedback_sentiment using (feedback_id, known_from)
    inner join raw.feedback as records
        on records._file_id = wanted.file_id and records._record_no = wanted.record_no
        and records._delivered_on = wanted.known_from
    order by known_from, feedback_id
"""
GRADED = f"""
    select readings.language, {IS_LOW} as is_low, readings.positive_probability
    from intermediate.int_feedback_versioned as versions
    inner join ml.feedback_sentiment as readings using (feedback_id, known_from)
    where known_from <= $day and (known_to is null or known_to > $day)
        and submitted_on <= $day and submitted_on > $day - $days
        and not is_score_off_scale and ({IS_LOW} or {IS_HIGH})
    order by feedback_id
"""


class FeedbackTexts:
    """Reads texts that have no reading yet, and grades the readings as of each day."""

    tables: ClassVar[tuple[MlTable, ...]] = (FEEDBACK_SENTIMENT, FEEDBACK_TOPICS, TEXT_MODEL_QUALITY)

    def __init__(self, context: Context) -> None:
        self._context = context

    def write(self, day: date) -> None:
        """Readings of all versions known up to the day; those of versions that are no more go."""
        connection = self._context.connection
        connection.execute(WANTED, {"day": day})
        outdated = {"day": day, "model_version": text_model.MODEL_VERSION}
        # The topics first: what is outdated shows in the table of sentiments.
        for table in (FEEDBACK_TOPICS, FEEDBACK_SENTIMENT):
            connection.execute(OUTDATED.format(table=table.name), outdated)
        unread = connection.execute(UNREAD).df()
        connection.execute("drop table texts_wanted")
        if len(unread):
            self._read(unread)
        self._grade(day)

    def _read(self, unread: pd.DataFrame) -> None:
        keys = [*KEYS, "file_id", "record_no", "comment_length"]
        sentiments, topics = text_model.read_all(unread, keys)
        self._insert(FEEDBACK_SENTIMENT, sentiments)
        self._insert(FEEDBACK_TOPICS, topics.drop(columns=keys[len(KEYS) :]))

    def _grade(self, day: date) -> None:
        connection = self._context.connection
        connection.execute("delete from ml.text_model_quality where as_of = ?", [day])
        graded = connection.execute(GRADED, {"day": day, "days": GRADED_DAYS}).df()
        grades = text_quality.grade(graded)
        self._insert(TEXT_MODEL_QUALITY, grades.assign(as_of=day, model_version=text_model.MODEL_VERSION))

    def _insert(self, table: MlTable, rows: pd.DataFrame) -> None:
        if rows.empty:
            return
        connection = self._context.connection
        connection.register("written", pa.Table.from_pandas(rows, preserve_index=False))
        connection.execute(f"insert into {table.full_name} by name select * from written")
        connection.unregister("written")
