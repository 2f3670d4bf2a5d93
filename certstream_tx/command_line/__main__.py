"""The same as the console command: ``python -m certstream_tx.command_line``."""

import sys

from certstream_tx.command_line.main import main

sys.exit(main())
