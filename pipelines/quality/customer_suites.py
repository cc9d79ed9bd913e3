"""What must hold of what the models say of customers. Part of `suites`."""

from pipelines.quality.rules import Rule, Suite, none_where


def _suite(table: str, rule: Rule) -> Suite:
    return Suite(f"ml.{table}", "ml", f"ml.{table}", "as_of", (rule,))


CUSTOMERS = (
    _suite(
        "customer_ltv",
        none_where(
            "expectations_possible",
            {
                "alive": "p_alive not between 0 and 1 or is_active <> (p_alive >= 0.2)",
                "orders": "not isfinite(expected_orders_365d) or expected_orders_365d < 0",
                "trained_on": "trained_on > as_of",
            },
            "Probabilities and expected orders are such, and the model knows nothing of later days.",
        ),
    ),
    _suite(
        "customer_base",
        none_where(
            "parts_of_the_whole",
            {
                "active": "active_customers not between 0 and customers",
                "churned": "newly_inactive not between 0 and active_at_month_start",
            },
            "Churn and lifetime value are ratios of these counts; a part above its whole makes them nonsense.",
        ),
    ),
    _suite(
        "customer_ltv_accuracy",
        none_where(
            "grades_possible",
            {
                "expected": "not isfinite(expected_purchases) or expected_purchases < 0",
                "held out": "trained_on + holdout_days <> as_of",
            },
            "A grade compares what was expected of the days held out with what came in just these days.",
        ),
    ),
    _suite(
        "customer_clusters",
        none_where(
            "groups_have_profiles",
            "(as_of, cluster_id) not in (select (as_of, cluster_id) from ml.customer_cluster_profiles)",
            "Every customer's group is described; a report of customers would name groups that nobody can read up.",
        ),
    ),
    _suite(
        "customer_cluster_profiles",
        none_where(
            "shares_possible",
            {
                "share": "customer_share not between 0 and 1",
                "agreement": "adjusted_rand_index not between -1 and 1",
            },
            "Shares and the index of agreement lie in their ranges.",
        ),
    ),
)
