"""Volume data, generated row by row: the same seed and number of users give the same rows in every process."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from mimesis import Address, Locale, Person

from accounts.domain.sample_users.published_password import VOLUME_CREATED
from accounts.models import Role, Visibility

SEED_MAX = 999_999_999
GROUPS_MAX = 100_000
NAMES = 5_000
ACTIVE, VERIFIED, PUBLIC, ADMIN = 0.97, 0.8, 0.7, 0.03
# Further groups of a user: 0.9 on average. With Everybody, and a group to own for one in ten, a user has two.
FURTHER_GROUPS = (0,) * 9 + (1,) * 6 + (2,) * 3 + (3,) * 2
# RFC 9562, 5.7: 48 bits of time, 4 of version, 12 random, 2 of variant, 62 random.
VERSION_AND_VARIANT = 7 << 76 | 0b10 << 62
RANDOM_BITS = ((1 << 12) - 1) << 64 | (1 << 62) - 1

UserRow = tuple[uuid.UUID, str, str, str, bool, bool, bool]
GroupRow = tuple[int, str, str, Visibility]
MembershipRow = tuple[int, uuid.UUID, Role]


@dataclass(frozen=True, slots=True)
class Batch:
    """The number of users to generate, and the seed."""

    users: int
    seed: int

    def __str__(self) -> str:
        return f"{self.seed}-{self.users}"

    @property
    def everybody(self) -> str:
        """The name of the group with all users of the batch. The batch exists if this group does."""
        return f"Everybody {self}"

    @property
    def groups(self) -> int:
        """The number of further groups."""
        return min(max(1, self.users // 10), GROUPS_MAX)

    def random(self, purpose: str) -> Random:
        """Return a generator of random numbers for one purpose of this batch."""
        return Random(f"{self} {purpose}")  # noqa: S311  # it must be repeatable

    def user_ids(self) -> Iterator[uuid.UUID]:
        """Generate the users' ids: UUIDv7s one millisecond apart, the same in each call."""
        bits = self.random("ids").getrandbits
        for milliseconds in range(VOLUME_CREATED, VOLUME_CREATED + self.users):
            yield uuid.UUID(int=milliseconds << 80 | VERSION_AND_VARIANT | bits(128) & RANDOM_BITS)

    def user_rows(self, hashed_password: str) -> Iterator[UserRow]:
        """Generate the users; the first is active and verified."""
        person, draw = Person(Locale.EN, seed=str(self)), self.random("users").random
        firsts = [(name, _letters(name)) for name in (person.first_name() for _ in range(NAMES))]
        lasts = [(name, _letters(name)) for name in (person.last_name() for _ in range(NAMES))]
        for number, user_id in enumerate(self.user_ids()):
            (first, before), (last, after) = firsts[int(draw() * NAMES)], lasts[int(draw() * NAMES)]
            email = f"{before}.{after}.{number}@batch-{self}.example.com"
            active, verified = draw() < ACTIVE or number == 0, draw() < VERIFIED or number == 0
            yield user_id, email, f"{first} {last}", hashed_password, active, False, verified

    def group_rows(self, group_ids: Sequence[int]) -> Iterator[GroupRow]:
        """Generate the groups: Everybody, then the further ones."""
        address, draw = Address(Locale.EN, seed=str(self)), self.random("groups").random
        yield group_ids[0], self.everybody, f"All {self.users:,} users of batch {self}", Visibility.PUBLIC
        for number, group_id in enumerate(group_ids[1:], start=1):
            visibility = Visibility.PUBLIC if draw() < PUBLIC else Visibility.PRIVATE
            yield group_id, f"{address.city()} {number} of {self}", f"Group {number} of batch {self}", visibility

    def membership_rows(self, group_ids: Sequence[int]) -> Iterator[MembershipRow]:
        """Generate memberships: every user in Everybody, and some in further groups, mostly the first ones."""
        all_users_id, further = group_ids[0], group_ids[1:]
        draw, stride = self.random("memberships").random, self.users // len(further)
        for number, user_id in enumerate(self.user_ids()):
            yield all_users_id, user_id, Role.MEMBER if number else Role.OWNER
            owned, rest = divmod(number, stride)
            places = {int(len(further) * draw() ** 3) for _ in range(FURTHER_GROUPS[int(draw() * len(FURTHER_GROUPS))])}
            if rest == 0 and owned < len(further):
                yield further[owned], user_id, Role.OWNER
                places.discard(owned)
            for place in places:
                yield further[place], user_id, Role.ADMIN if draw() < ADMIN else Role.MEMBER


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name.lower()))
