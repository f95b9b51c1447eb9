"""The model site's month is put into a database once a session; each test gets a copy."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from deploy.stack.local import LocalStack
from tests.system.billing.site import BilledSite, Skipped, billed_site, fill, settle_with_rows, true_month


@pytest.fixture(scope="session")
def filled_template(stack: LocalStack, migrated_template: str) -> Iterator[str]:
    """The name of a database with the whole month; nobody stays connected to it."""
    name = f"billing_{uuid.uuid4().hex[:12]}"
    fill(stack.create_database(name, template=migrated_template))
    yield name
    stack.drop_database(name)


@pytest.fixture
def site(stack: LocalStack, filled_template: str) -> Iterator[BilledSite]:
    """The model site with a complete March, nothing settled."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with billed_site(stack.create_database(name, template=filled_template)) as built:
        yield built
    stack.drop_database(name)


@pytest.fixture(scope="session")
def settled_template(stack: LocalStack, filled_template: str) -> Iterator[str]:
    """The name of a database in which March is settled, with a row of the payment calendar for each contract."""
    name = f"settled_{uuid.uuid4().hex[:12]}"
    settle_with_rows(stack.create_database(name, template=filled_template))
    yield name
    stack.drop_database(name)


@pytest.fixture
def settled_site(stack: LocalStack, settled_template: str) -> Iterator[BilledSite]:
    """The model site with March settled in a draft run, unchecked."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with billed_site(stack.create_database(name, template=settled_template)) as built:
        yield built
    stack.drop_database(name)


@pytest.fixture
def true_site(stack: LocalStack, migrated_template: str) -> Iterator[BilledSite]:
    """The model site with the March that its simulated meters have measured."""
    name = f"true_{uuid.uuid4().hex[:12]}"
    url = stack.create_database(name, template=migrated_template)
    fill(url, truth=true_month())
    with billed_site(url) as built:
        yield built
    stack.drop_database(name)


@pytest.fixture
def site_without(stack: LocalStack, migrated_template: str) -> Iterator[Callable[[Skipped], BilledSite]]:
    """Makes a model site whose evidence lacks something."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with ExitStack() as opened:

        def make(skipped: Skipped) -> BilledSite:
            url = stack.create_database(name, template=migrated_template)
            fill(url, skipped)
            return opened.enter_context(billed_site(url))

        yield make
    stack.drop_database(name)
