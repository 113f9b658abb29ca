"""Refusals: rules of the domain that an operation breaks, by feature area. A new one is a class in one of these."""

from accounts.domain.errors.base import *  # noqa: F403  # all of them
from accounts.domain.errors.external_sign_in import *  # noqa: F403  # all of them
from accounts.domain.errors.groups import *  # noqa: F403  # all of them
from accounts.domain.errors.identity import *  # noqa: F403  # all of them
from accounts.domain.errors.invitations import *  # noqa: F403  # all of them
from accounts.domain.errors.programs import *  # noqa: F403  # all of them
from accounts.domain.errors.registration import *  # noqa: F403  # all of them
from accounts.domain.errors.requests import *  # noqa: F403  # all of them
from accounts.domain.errors.second_factors import *  # noqa: F403  # all of them
from accounts.domain.errors.sessions import *  # noqa: F403  # all of them
