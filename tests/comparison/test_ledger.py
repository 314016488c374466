import csv
import io

import pytest
from fabricated_results import result

from qana.comparison.groups import grouped
from qana.comparison.leaderboard import leaderboard
from qana.comparison.ledger import ledger, ledger_csv, shipped_claims

CLAIMS = {claim.id: claim for claim in shipped_claims()}


def entries(*runs):
    rows = leaderboard(grouped(runs, ["seed"]), stage="akida", sort="macro_f1")
    return {entry.claim.id: entry for entry in ledger(list(CLAIMS.values()), rows)}


def test_shipped_claims_name_paper_version_and_number():
    assert CLAIMS["ham10000-macro-f1-v1"].value == 0.824
    assert CLAIMS["ham10000-macro-f1-v1"].source == "arXiv 2507.15958 v1, v2"
    assert CLAIMS["ham10000-macro-f1-v3"].value == 0.910
    assert len(CLAIMS) == len(shipped_claims())


@pytest.mark.parametrize(
    ("f1", "said"), [(0.80, "within the interval"), (0.70, "not reached"), (0.90, "better")]
)
def test_verdict_is_that_of_the_interval(f1, said):
    assert entries(result("a", f1=f1))["ham10000-macro-f1-v1"].verdict == said


def test_modelled_energy_is_called_modelled_and_less_of_it_is_better():
    verdicts = [entries(result("a", energy=mj))["energy"].verdict for mj in (0.5, 1.7, 9.0)]
    assert verdicts == ["modelled: better", "modelled: within the interval", "modelled: not reached"]


def test_claims_that_nothing_here_is_about_are_not_attempted():
    found = entries(result("a"))
    assert found["clinical-accuracy"].verdict == "not attempted"
    assert found["energy-against-gpu-v3"].verdict == "not measured here"
    assert found["ham10000-baseline-accuracy"].row is None


def test_baselines_stand_beside_the_claims_about_baselines():
    found = entries(result("base", backbone___target_="qana.backbone.AkidaNet"))
    assert found["ham10000-baseline-macro-f1"].row.group.latest.name == "base"
    assert found["ham10000-macro-f1-v1"].row is None


def test_every_group_on_the_data_stands_beside_a_claim():
    runs = [result("a"), result("b", quantization__weight_bits=8)]
    rows = leaderboard(grouped(runs, ["seed"]), stage="akida", sort="macro_f1")
    lines = list(csv.DictReader(io.StringIO(ledger_csv(ledger(shipped_claims(), rows)))))
    names = [line["name"] for line in lines if line["claim"] == "ham10000-accuracy"]
    assert sorted(names) == ["a", "b"]
    assert {line["published_split"] for line in lines} == {"not stated"}
