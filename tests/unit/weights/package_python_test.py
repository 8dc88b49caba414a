"""The Python package safetensors opens what we write, and sees the same numbers."""
import json
import os
import subprocess
import sys
import tempfile

from safetensors import safe_open

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "package.safetensors")
    subprocess.run([sys.argv[1], "--gtest_filter=Package.round_trip*"], check=True,
                   env=dict(os.environ, RPT_PACKAGE_OUT=path), stdout=subprocess.DEVNULL)
    with safe_open(path, framework="numpy") as package:
        assert sorted(package.keys()) == ["a.narrow", "b.wide"], package.keys()
        assert package.get_tensor("b.wide").tolist() == [[1, 2, 3], [4, 5, 6]]
        assert package.get_tensor("a.narrow").tolist() == [1, 2, 0]
        metadata = package.metadata()
        assert metadata["format"] == "rpt-package-1" and json.loads(metadata["tokenizer"]) == {"x": 1}, metadata
