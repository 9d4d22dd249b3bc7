"""Bad input in the settings and in the form of the files."""

from __future__ import annotations

from spoiling import (
    POSTS,
    BadInput,
    both,
    cell,
    content,
    encoded,
    folder_in_place_of,
    remove,
    rename_file,
    rows,
    semicolons,
    settings,
)

FILES: list[BadInput] = [
    # The file of settings.
    BadInput("no-settings", remove("campaign.toml"), ("campaign.toml", "lift new")),
    BadInput(
        "settings-syntax",
        settings('name = "good"', "name = good"),
        ("must be valid TOML", "line 1"),
    ),
    BadInput(
        "settings-latin-1",
        encoded("campaign.toml", "latin-1", '"good"', '"così"'),
        ("must be encoded as UTF-8", "0xec", "line 1"),
    ),
    BadInput("settings-empty", content("campaign.toml", ""), ("[tables] must be given",)),
    BadInput(
        "settings-unknown-key",
        settings("timezone", "time_zone"),
        ("key 'time_zone' is unknown", "did you mean 'timezone'"),
    ),
    BadInput(
        "settings-unknown-table",
        settings("downloads =", "download ="),
        (
            "key 'tables.download' is unknown",
            "did you mean 'downloads'",
            "key 'tables.downloads' must be given",
        ),
    ),
    BadInput(
        "settings-table-outside-tables",
        settings('country = "IT"', 'country = "IT"\nposts = "posts.csv"'),
        ("key 'posts' is unknown", "below [tables]"),
    ),
    BadInput(
        "settings-wrong-types",
        both(
            settings('"good"', "7"),
            settings('"Europe/Rome"', "true"),
            settings('"posts.csv"', '["posts.csv"]'),
            cell("downloads", 5, "downloads", "-3"),
        ),
        (
            "'name' must be text",
            "7 (int)",
            "'timezone' must be text",
            "True (bool)",
            "'tables.posts' must be text",
            "not be negative",
            "line 5: -3",
        ),
    ),
    BadInput(
        "settings-path-outside",
        settings('"posts.csv"', '"../posts.csv"'),
        ("tables.posts", "'../posts.csv'", "outside it"),
    ),
    BadInput(
        "settings-path-absolute",
        settings('"posts.csv"', '"/data/posts.csv"'),
        ("tables.posts", "'/data/posts.csv'", "outside it"),
    ),
    BadInput(
        "settings-one-file-twice",
        settings('"controls.csv"', '"downloads.csv"'),
        ("every table must have its own file", "downloads.csv"),
    ),
    BadInput(
        "timezone-unknown",
        settings("Europe/Rome", "Europe/Roma"),
        ("IANA name", "'Europe/Roma'", "did you mean 'Europe/Rome'"),
    ),
    BadInput(
        "timezone-city", settings("Europe/Rome", "Rome"), ("'Rome'", "did you mean 'Europe/Rome'")
    ),
    BadInput(
        "country-name", settings('"IT"', '"Italy"'), ("'Italy'", "two-letter", "did you mean 'IT'")
    ),
    BadInput("country-unknown", settings('"IT"', '"QX"'), ("'QX'", "two-letter")),
    BadInput(
        "country-subdivision",
        settings('"IT"', '"US-CAL"'),
        ("'US-CAL'", "subdivision", "did you mean 'US-CA'"),
    ),
    BadInput(
        "dataset-unknown",
        settings('"downloads.csv"', '{dataset = "app_imuni", series = "app:immuni_ios"}'),
        ("'app_imuni'", "did you mean 'app_immuni'"),
    ),
    BadInput(
        "dataset-wrong-keys",
        settings('"downloads.csv"', '{dataset = "app_immuni", serie = "x"}'),
        ("'tables.downloads.serie' is unknown", "'tables.downloads.series' must be given"),
    ),
    # Files.
    BadInput(
        "file-absent",
        rename_file("downloads.csv", "download.csv"),
        ("'downloads.csv' must exist", "did you mean 'download.csv'"),
    ),
    BadInput(
        "all-files-absent",
        both(remove("downloads.csv"), remove("posts.csv"), remove("controls.csv")),
        ("'downloads.csv' must exist", "'posts.csv' must exist", "'controls.csv' must exist"),
    ),
    BadInput(
        "file-is-folder", folder_in_place_of("posts.csv"), ("must be a file", "folder 'posts.csv'")
    ),
    BadInput(
        "file-unknown-kind",
        both(rename_file("posts.csv", "posts.xlsx"), settings("posts.csv", "posts.xlsx")),
        ("'posts.xlsx'", "unknown kind", ".csv or .parquet"),
    ),
    BadInput("file-empty", content("downloads.csv", ""), ("must not be empty", "downloads.csv")),
    BadInput(
        "files-header-only",
        both(
            content("downloads.csv", "date,downloads\n"),
            content("posts.csv", "post_id,posted_at\n"),
            content("controls.csv", "date,rival\n"),
        ),
        ("downloads:", "posts:", "controls:", "a header and nothing below it"),
    ),
    BadInput(
        "file-utf-16", encoded("downloads.csv", "utf-16"), ("must be encoded as UTF-8", "UTF-16")
    ),
    BadInput(
        "file-latin-1",
        both(encoded("posts.csv", "latin-1", "@ada", "@adélaïde")),
        ("must be encoded as UTF-8", "0xe9", "line 2"),
    ),
    BadInput(
        "file-excel-renamed",
        content("posts.csv", b"PK\x03\x04rest of a workbook"),
        ("must be CSV text", "Excel"),
    ),
    BadInput(
        "file-not-parquet",
        both(rename_file("posts.csv", "posts.parquet"), settings("posts.csv", "posts.parquet")),
        ("'posts.parquet' must be a Parquet file",),
    ),
    BadInput(
        "semicolons-and-decimal-commas",
        semicolons,
        ("separated by commas", "semicolons", "decimal comma", "column 'search'"),
    ),
    BadInput(
        "unquoted-comma",
        rows("downloads", lambda own: [*own[:2], ["2025-01-02", "1", "250"], *own[3:]]),
        ("every row must have 2 values", "line 3 (3 values)", "thousands separator"),
    ),
    BadInput(
        "open-quote",
        content("posts.csv", POSTS.replace("@bob", '"@bob')),
        ("well-formed CSV", "line 3", "quotation mark"),
    ),
    BadInput(
        "index-column",
        rows("downloads", lambda own: [[str(i - 1) if i else "", *r] for i, r in enumerate(own)]),
        ("every column must have a name", "index=False"),
    ),
    BadInput(
        "column-twice",
        rows("controls", lambda own: [[*row, row[1]] for row in own]),
        ("its own name", "'rival'", "more than once"),
    ),
]
