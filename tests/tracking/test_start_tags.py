from qana.provenance import config_hash, git_state
from qana.tracking.start_tags import start_tags

CONFIG = {"seed": 3, "conversion": {"name": "akd1000", "form": "separable"}, "name": "n"}


def test_run_says_what_it_is():
    tags = start_tags(CONFIG, ["experiment=ablation", "seed=3"])
    sha, dirty = git_state()
    assert tags == {
        "overrides": "experiment=ablation seed=3",
        "config_hash": config_hash(CONFIG),
        "target": "akd1000",
        "form": "separable",
        "recipe": "ablation",
        "git_commit": sha or "not known",
        "git_dirty": "not known" if dirty is None else str(dirty).lower(),
    }


def test_run_without_a_recipe_says_so():
    assert start_tags(CONFIG, ["seed=3"])["recipe"] == "none"
