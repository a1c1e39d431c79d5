import json

import pytest

from tfx_wine_ext.drift.config import DEFAULT_THRESHOLDS, DriftConfig, Threshold

DEFAULTS = {
    "thresholds": {
        "psi": {"fail": 0.25, "warn": 0.1},
        "js": {"fail": 0.1, "warn": None},
        "ks": {"fail": 0.1, "warn": None},
        "wasserstein": {"fail": 0.1, "warn": None},
        "chi_square": {"fail": 0.2, "warn": None},
        "l_infinity": {"fail": 0.1, "warn": None},
        "unseen_mass": {"fail": 0.01, "warn": 0.0},
        "missing_rate": {"fail": 0.05, "warn": None},
        "infinite_rate": {"fail": 0.05, "warn": None},
    },
    "features": {},
    "critical": [],
    "importances": {},
    "ignore": [],
    "categorical": [],
    "q": 0.05,
    "share": 0.5,
    "aggregate": 0.2,
    "min_count": 20,
    "classifier": False,
    "classifier_auc": 0.6,
    "classifier_rows": 10_000,
}
YAML = """
thresholds:
  ks: 0.2
features:
  pH:
    psi: {fail: 0.5, warn: 0.3}
critical: [alcohol]
importances: {alcohol: 2, pH: 1}
share: 0.25
"""


def test_the_defaults_are_these():
    assert DriftConfig().to_dict() == DEFAULTS


def test_what_is_written_is_read_again():
    config = DriftConfig(
        thresholds={"ks": 0.2},
        features={"pH": {"psi": Threshold(None, 0.3)}},
        critical=("pH",),
        importances={"pH": 1.5},
        ignore=("id",),
        categorical=("code",),
        q=0.01,
        share=0.25,
        aggregate=0.3,
        min_count=50,
        classifier=True,
        classifier_auc=0.7,
        classifier_rows=500,
    )
    written = json.loads(json.dumps(config.to_dict()))
    assert DriftConfig.from_dict(written).to_dict() == config.to_dict()


def test_a_feature_goes_before_a_metric_and_that_before_the_default():
    config = DriftConfig(thresholds={"ks": 0.2, "psi": 0.4}, features={"pH": {"psi": 0.5}})
    assert config.threshold("pH", "psi") == Threshold(0.5)
    assert config.threshold("alcohol", "psi") == Threshold(0.4)
    assert config.threshold("pH", "ks") == Threshold(0.2)
    assert config.threshold("pH", "js") == DEFAULT_THRESHOLDS["js"]


def test_yaml_and_json_files_are_read(tmp_path):
    (tmp_path / "drift.yaml").write_text(YAML)
    config = DriftConfig.from_file(tmp_path / "drift.yaml")
    expected = DriftConfig(
        thresholds={"ks": 0.2},
        features={"pH": {"psi": Threshold(0.5, 0.3)}},
        critical=("alcohol",),
        importances={"alcohol": 2, "pH": 1},
        share=0.25,
    )
    assert config == expected
    (tmp_path / "drift.json").write_text(json.dumps(config.to_dict()))
    assert DriftConfig.from_file(str(tmp_path / "drift.json")).to_dict() == config.to_dict()


def test_an_empty_yaml_file_is_the_defaults(tmp_path):
    (tmp_path / "drift.yml").write_text("# nothing yet\n")
    assert DriftConfig.from_file(tmp_path / "drift.yml") == DriftConfig()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", r"a\.json: expected JSON, found Expecting property name"),
        ("a.yaml", "x: [", r"a\.yaml: expected YAML, found while parsing a flow"),
        ("a.toml", "", r"a\.toml: expected a name in \.json, \.yaml or \.yml, found '\.toml'"),
        ("a.json", '{"shares": 1}', r"a\.json: unknown key 'shares' in the drift config: expected"),
    ],
)
def test_a_bad_file_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        DriftConfig.from_file(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"treshold": {}},
            "unknown key 'treshold' in the drift config: expected one of aggregate,",
        ),
        ({"thresholds": {"kss": 1}}, "unknown metric 'kss' in thresholds: expected one of chi_sq"),
        ({"features": {"pH": {"x": 1}}}, r"unknown metric 'x' in features\['pH'\]: expected"),
        ({"thresholds": {"ks": {"max": 1}}}, r"unknown key 'max' in thresholds\['ks'\]: expected"),
        ({"thresholds": {"ks": -1}}, r"thresholds\['ks'\]: fail must be .* >= 0 .*, found -1"),
        ({"thresholds": {"ks": {"fail": 1, "warn": 2}}}, r"warn must be at most fail \(1\)"),
        ({"thresholds": {"ks": float("nan")}}, "must be finite, found nan"),
        ({"importances": {"pH": -1}}, r"importances\['pH'\] must be >= 0, found -1"),
        ({"q": 0}, "q must be above 0 and at most 1, found 0"),
        ({"share": 1.5}, "share must be above 0 and at most 1, found 1.5"),
        ({"min_count": 0}, r"min_count must be from 1 to 2\*\*53, found 0"),
        ({"classifier_rows": 0}, r"classifier_rows must be from 1 to 2\*\*53, found 0"),
        ({"classifier_auc": 2}, "classifier_auc must be above 0 and at most 1, found 2"),
    ],
)
def test_a_bad_value_is_named(data, message):
    with pytest.raises(ValueError, match=message):
        DriftConfig.from_dict(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"the drift config must be a mapping, found \[\]"),
        ({"thresholds": 1}, "thresholds must be a mapping, found 1"),
        ({"thresholds": {"ks": "1"}}, r"thresholds\['ks'\]: the threshold must be a number"),
        ({"features": []}, r"features must be a mapping, found \[\]"),
        ({"critical": "pH"}, "critical must be a list of feature names, found 'pH'"),
        ({"ignore": [1]}, r"ignore must be a list of feature names, found \[1\]"),
        ({"categorical": 3}, "categorical must be a list of feature names, found 3"),
        ({"q": True}, "q must be a number, found True"),
        ({"min_count": 2.0}, r"min_count must be an int, found 2\.0"),
        ({"classifier": 1}, "classifier must be true or false, found 1"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(data, message):
    with pytest.raises(TypeError, match=message):
        DriftConfig.from_dict(data)
