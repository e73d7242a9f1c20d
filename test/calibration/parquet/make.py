"""Makes the Parquet files of this folder. Needs the Python package pyarrow (25); run it in this folder.

Three rows in two row groups, once for each compression that data sets come in.
"""

import pyarrow
import pyarrow.parquet

table = pyarrow.table({"id": [1, 2, 3], "prompt": ["def a():\n", "é 🙂", ""], "solution": ["\treturn 1", "!", None]})
for compression in ("none", "snappy", "zstd", "gzip"):
    pyarrow.parquet.write_table(table, f"{compression}.parquet", compression=compression, row_group_size=2)
