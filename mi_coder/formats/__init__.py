"""Reading and writing chats: one module per file format, one registry, one set of checks for all.

Reading never loses a line: every record of a source comes out as a Record, a Reject or a counted blank line.
"""

from mi_coder.formats.atomic import atomic_file
from mi_coder.formats.coding import coding_fields
from mi_coder.formats.conversations import read_conversations, write_conversations
from mi_coder.formats.fields import FIELD_ALIASES, OUTPUT_FIELDS
from mi_coder.formats.options import AS_CODED, ReadOptions
from mi_coder.formats.reading import open_records
from mi_coder.formats.records import Layout, Record, RecordReader
from mi_coder.formats.rejects import REJECT_CODES, Reject
from mi_coder.formats.sniff import FORMATS
from mi_coder.formats.writing import RecordWriter, open_writer, write_records

__all__ = [
    "AS_CODED",
    "FIELD_ALIASES",
    "FORMATS",
    "OUTPUT_FIELDS",
    "REJECT_CODES",
    "Layout",
    "ReadOptions",
    "Record",
    "RecordReader",
    "RecordWriter",
    "Reject",
    "atomic_file",
    "coding_fields",
    "open_records",
    "open_writer",
    "read_conversations",
    "write_conversations",
    "write_records",
]
