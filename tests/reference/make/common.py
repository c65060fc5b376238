"""What every fixture script shares: where the data are, and how a fixture is written."""

import datetime
import json
import pathlib
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd

ROOT = pathlib.Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "tests" / "reference"


def dataset(name):
    """A bundled data set, `datasets/NAME.csv`."""
    plain = ROOT / "datasets" / f"{name}.csv"
    return pd.read_csv(plain if plain.exists() else f"{plain}.gz")


def generated(name):
    """A small generated data set, `tests/reference/NAME.csv`."""
    return pd.read_csv(REFERENCE / f"{name}.csv")


def software(*packages):
    return "; ".join(f"{p} {version(p)}" for p in packages) + f"; Python {sys.version.split()[0]}"


def plain(value):
    """numpy and pandas to what JSON knows; floats keep all 17 digits."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (pd.Series, pd.DataFrame)):
        return plain(value.to_numpy())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (np.bool_, bool)):
        return bool(value)
    if isinstance(value, (np.integer, int)):
        return int(value)
    if isinstance(value, (np.floating, float)):
        value = float(value)
        if np.isnan(value):
            raise ValueError("a reference value is NaN")
        return value if np.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def save(name, *, source, data, values, tolerance=1e-9, note=""):
    """Writes `tests/reference/NAME.json`; `tolerance` is relative unless a case says otherwise."""
    record = {
        "source": source,
        "command": f"python tests/reference/make/{pathlib.Path(sys.argv[0]).name}",
        "date": datetime.date.today().isoformat(),
        "data": data,
        "tolerance": tolerance,
        "note": note,
        "values": plain(values),
    }
    path = REFERENCE / f"{name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    print(path)


def names(columns):
    return ["(Intercept)" if c in ("Intercept", "const", "1") else str(c) for c in columns]
