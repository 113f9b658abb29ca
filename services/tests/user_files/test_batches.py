"""Files are read in batches that take little memory, however many groups their users have."""

import json
from io import BytesIO

from accounts.domain.user_files.user_file import BATCH_BYTES, UserFile, json_lines


def test_batch_is_bounded_by_the_length_of_its_lines() -> None:
    groups = [{"id": 1}] * 1_000
    lines = [json.dumps({"email": f"a{number}@camelot.example.com", "groups": groups}) for number in range(200)]
    file = UserFile(json_lines(BytesIO("\n".join(lines).encode())))

    batches = list(iter(lambda: file.read(5_000), []))

    assert max(map(len, batches)) <= BATCH_BYTES // len(lines[0]) + 1
    assert [user.email for batch in batches for user in batch] == [json.loads(line)["email"] for line in lines]
