import pytest
from qtpy.QtWidgets import QTableWidget

from napari_mesmerize.widgets.qt_api import present


def test_what_is_there_is_returned(qtbot):
    table = QTableWidget(2, 1)
    qtbot.addWidget(table)
    header = table.verticalHeader()
    assert present(header) is header
    assert present(0) == 0, "only None is missing"


def test_what_is_missing_is_a_bug_of_ours(qtbot):
    table = QTableWidget(2, 1)
    qtbot.addWidget(table)
    with pytest.raises(RuntimeError, match="missing that it always has"):
        present(table.item(0, 0))
