"""`python -m biobench COMMAND …` is `biobench COMMAND …`."""

import sys

from biobench.cli import main

sys.exit(main())
