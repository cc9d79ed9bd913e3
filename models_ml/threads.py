"""How many threads numerical libraries may use. What is computed does not belong here."""

from typing import Any


def one_thread() -> Any:
    """A context in which what runs has one thread.

    Sums keep their order, and small problems their time: threads that wait for each other made the customers' groups
    25 times as dear on two busy cores. Importing scikit-learn here loads every library that there is to be limited.
    """
    from sklearn.utils.parallel import ThreadpoolController

    return ThreadpoolController().limit(limits=1)
