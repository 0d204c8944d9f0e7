"""Compile the package: finds every source that is written for Cython."""

import os
import re
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, PlatformError

# Cython writes this module: helpers of which every other module would have a copy.
SHARED = "sk_gd._cython"
# Arrays are passed to functions by value, with room for the lengths of so many axes, less one. With
# the eight of Cython, copying them would be a part of a step on one row.
Options.buffer_max_dims = 3
# What is called of scipy is declared here, so that the build does not need scipy.
DECLARATIONS = "sk_gd/_declarations"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

# Vectorise, and unroll loops, which are short here. No debugging information, which is four fifths
# of a file. Round every product, so that all processors give the same digits. Let sqrt be one
# instruction. Types that compile a function for several processors (clones.pxd) are also those of
# its result, where they mean nothing: no warnings of that. CFLAGS of the user come before: with
# -ffast-math NaN would be a number, and modules would be linked with code that rounds the smallest
# numbers to zero in all of the process.
FLAGS = [
    "-fno-fast-math",  # also sets some of the flags that follow
    "-O3", "-funroll-loops", "-g0", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
    "-Wno-attributes",
]  # fmt: skip
FLAGS_OF_LINKER = ["-O3", "-fno-fast-math"]
# Arrays are passed to functions by value. Copy them by plain moves: the string instruction that gcc
# uses otherwise takes some nanoseconds to start, which are a part of a step on one row.
FLAG_OF_GCC = "-mmemcpy-strategy=unrolled_loop:256:noalign,libcall:-1:noalign"
FLAGS_OF_MSVC = ["/O2", "/fp:precise"]

NO_COMPILER = """
Installing sk_gd needs a C compiler and Python's header files. At least one of them was not found
(the message above says which). Install them, then run the same command again:
    Debian, Ubuntu   sudo apt install build-essential python3-dev
    Fedora           sudo dnf install gcc python3-devel
    macOS            xcode-select --install
    Windows          Visual Studio Build Tools with "Desktop development with C++", from
                     https://visualstudio.microsoft.com/visual-cpp-build-tools/
"""


def cython_sources():
    """Yield every .pyx, and every .py that has a line "import cython"."""
    for path in sorted(Path("sk_gd").rglob("*.py*")):
        text = path.read_text("utf-8") if path.suffix in (".py", ".pyx") else ""
        if path.suffix == ".pyx" or re.search("^import cython$", text, re.M):
            yield path


class BuildExt(build_ext):
    """Build the extensions on all cores: first all C files, then all modules."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or CORES

    def build_extensions(self):
        self.check_compiler()
        msvc = self.compiler.compiler_type == "msvc"
        flags = FLAGS_OF_MSVC if msvc else FLAGS + [FLAG_OF_GCC] * self.accepts(FLAG_OF_GCC)
        made = cythonize(
            self.extensions,
            nthreads=self.parallel,
            include_path=[DECLARATIONS, "."],
            shared_utility_qualified_name=SHARED,
            # Would be a third of the C code; classes that are pickled say how themselves.
            compiler_directives={"auto_pickle": False},
        )
        for extension, c in zip(self.extensions, made, strict=True):
            extension.sources = c.sources
            extension.extra_compile_args = flags
            extension.extra_link_args = [] if msvc else FLAGS_OF_LINKER
            # If it is not named, the functions of an old version are linked, which take longer.
            extension.libraries = [] if msvc else ["m"]
        super().build_extensions()

    def check_compiler(self):
        """Exit with a message that says what to install if nothing can be compiled."""
        try:
            self.compile_nothing()
        except (CompileError, PlatformError) as error:
            raise SystemExit(f"{error}\n{NO_COMPILER}") from None

    def accepts(self, flag):
        """Whether the compiler is gcc for a processor that knows this flag."""
        try:
            self.compile_nothing("-Werror", flag)
        except CompileError:
            return False
        return True

    def compile_nothing(self, *flags):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "empty.c")
            source.write_text("#include <Python.h>\n")
            self.compiler.compile([str(source)], output_dir=folder, extra_postargs=list(flags))


if __name__ == "__main__":  # The processes that cythonize starts may import this file.
    modules = {".".join(path.with_suffix("").parts): [path.as_posix()] for path in cython_sources()}
    extensions = [Extension(name, sources) for name, sources in {SHARED: [], **modules}.items()]
    setup(ext_modules=extensions, cmdclass={"build_ext": BuildExt})
