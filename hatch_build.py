"""Compiles what can be compiled, where there is a C compiler; without one publog runs too, slower (docs/adr/0011)."""

from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

MODULE = "assets.native"
SOURCE = "assets/native.pyx"


class CompiledModule(BuildHookInterface[Any]):
    """Compiles into the source tree, where an editable install finds it; a wheel takes it from there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's interface
        try:
            path = compile_module(Path(self.root))
        except Exception as error:  # noqa: BLE001 - what comes where there is no compiler differs from one to the next
            self.app.display_warning(f"publog goes without its compiled part, and slower: {error}")
            return
        build_data["artifacts"].append(f"/{path}")
        build_data["infer_tag"] = True
        build_data["pure_python"] = False


def compile_module(root: Path) -> str:
    """Compile it beside its source; returns the path, from the root."""
    build = str(root / "build" / "compiled")
    extension = Extension(MODULE, [str(root / SOURCE)], extra_compile_args=["-O3"])
    command = build_ext(Distribution({"ext_modules": cythonize([extension], build_dir=build, quiet=True)}))
    command.build_lib, command.build_temp = str(root), build
    command.ensure_finalized()
    command.run()
    return str(Path(command.get_ext_fullpath(MODULE)).relative_to(root))
