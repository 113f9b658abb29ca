"""The workloads that read. Users, tokens and pages take turns, so that no row or page is asked for all the time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle

from benchmarks.target import Target, request

Reads = Callable[[Target], Sequence[str]]
ROUNDS = 3  # through the users, each time with other pages


def _members(target: Target) -> str:
    return f"/user-groups/{target.data.group}/users"


def _by_readers(target: Target, paths: Iterable[str]) -> Sequence[str]:
    return _by([*target.readers()] * ROUNDS, paths)


def _by_superusers(target: Target, paths: Iterable[str]) -> Sequence[str]:
    # An odd number, so that connections, whose number is even, do not always get the same.
    return _by([target.authorization(email) for email in target.data.superusers[1:]] * ROUNDS, paths)


def _by(users: Sequence[Mapping[str, str]], paths: Iterable[str]) -> Sequence[str]:
    return [request("GET", path, user) for user, path in zip(users, cycle(paths), strict=False)]


def members(target: Target) -> Sequence[str]:
    """Read the first page, without a token: the floor has no other."""
    return [request("GET", target.page(_members(target)))]


def members_signed_in(target: Target) -> Sequence[str]:
    """Read the first page with many tokens."""
    return _by_readers(target, [target.page(_members(target))])


def me(target: Target) -> Sequence[str]:
    """Read the current user."""
    return _by_readers(target, ["/users/me"])


def groups(target: Target) -> Sequence[str]:
    """Read pages of the list of groups."""
    return _by_readers(target, target.pages("groups", "/user-groups"))


def group(target: Target) -> Sequence[str]:
    """Read single groups."""
    return _by_readers(target, [f"/user-groups/{group_id}" for group_id, _ in target.data.circles])


def my_groups(target: Target) -> Sequence[str]:
    """Read the caller's groups."""
    return _by_readers(target, [target.page("/users/me/groups")])


def sessions(target: Target) -> Sequence[str]:
    """Read the caller's sessions."""
    return _by_readers(target, ["/auth/sessions"])


def invitations(target: Target) -> Sequence[str]:
    """Read the invitations of a group that the caller owns."""
    own = zip(target.readers(), target.data.circles, strict=False)
    return [request("GET", target.page(f"/user-groups/{group_id}/invitations"), owner) for owner, (group_id, _) in own]


def my_invitations(target: Target) -> Sequence[str]:
    """Read the invitations to the caller."""
    return _by_readers(target, [target.page("/users/me/invitations")])


def users(target: Target) -> Sequence[str]:
    """Read pages of the list of users."""
    return _by_superusers(target, target.pages("users", "/users"))


def search(target: Target) -> Sequence[str]:
    """Search users by the beginning of their email address."""
    return _by_superusers(target, [target.page("/users", email=letter) for letter in target.data.letters])


READS: Mapping[str, Reads] = {
    "members": members,
    "members signed in": members_signed_in,
    "users/me": me,
    "groups": groups,
    "group": group,
    "my groups": my_groups,
    "sessions": sessions,
    "invitations": invitations,
    "my invitations": my_invitations,
    "users": users,
    "search": search,
}


def one_page(target: Target, workload: str, key: str | None) -> Sequence[str]:
    """Read one page of a list, by its key: the first one without."""
    if workload == "members":
        return [request("GET", target.page(_members(target), key))]
    if workload == "groups":
        return _by_readers(target, [target.page("/user-groups", key)])
    return _by_superusers(target, [target.page("/users", key)])
