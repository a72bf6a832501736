"""Compiles what can be compiled, where there is a C compiler; without one publog runs too, slower (docs/adr/0011)."""

from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

MODULES = {f"{package}.native": f"{package}/native.pyx" for package in ("assets", "denormalizer", "indexers")}


class CompiledModule(BuildHookInterface[Any]):
    """Compiles into the source tree, where an editable install finds it; a wheel takes it from there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's interface
        try:
            paths = compile_modules(Path(self.root))
        except Exception as error:  # noqa: BLE001 - what comes where there is no compiler differs from one to the next
            self.app.display_warning(f"publog goes without its compiled part, and slower: {error}")
            return
        build_data["artifacts"] += [f"/{path}" for path in paths]
        build_data["infer_tag"] = True
        build_data["pure_python"] = False


def compile_modules(root: Path) -> list[str]:
    """Compile them beside their sources; returns the paths, from the root."""
    build = str(root / "build" / "compiled")
    extensions = [
        Extension(module, [str(root / source)], extra_compile_args=["-O3"]) for module, source in MODULES.items()
    ]
    compiled = cythonize(extensions, build_dir=build, include_path=[str(root)], quiet=True)
    command = build_ext(Distribution({"ext_modules": compiled}))
    command.build_lib, command.build_temp = str(root), build
    command.ensure_finalized()
    command.run()
    return [str(Path(command.get_ext_fullpath(module)).relative_to(root)) for module in MODULES]
