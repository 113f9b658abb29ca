"""``make up`` notices changed logos and templates."""

from pathlib import Path

import branded_files


def test_changed_files_change_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "templates" / "pages").mkdir(parents=True)
    logo, page = tmp_path / "logo.svg", tmp_path / "templates" / "pages" / "base.html"
    variables = {"LOGO_FILE": str(logo), "TEMPLATES_DIR": str(tmp_path / "templates")}
    seen = [branded_files.fingerprint({}), branded_files.fingerprint(variables)]

    for change in (
        lambda: logo.write_text("<svg/>"),
        lambda: page.write_text("one"),
        lambda: page.write_text("two"),
        lambda: page.rename(page.with_name("sign-in.html")),
        logo.unlink,
    ):
        change()
        assert branded_files.fingerprint(variables) == branded_files.fingerprint(variables) != seen[-1]
        seen.append(branded_files.fingerprint(variables))

    assert seen[0] == ""
    assert len({*seen}) == len(seen)
