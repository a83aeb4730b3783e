import shutil
import sys
from dataclasses import replace

import pytest
from support.public_index import FakeClient, make_index, write_series

from rgan_sdk.errors import ConfigurationError, OutputBusyError, OutputError, TrainingError
from rgan_train.public import download as module
from rgan_train.public.download import download, find_missing, open_client, place_of
from rgan_train.public.select import find_public_pairs


@pytest.fixture
def index(monkeypatch):
    return make_index(monkeypatch)


@pytest.fixture
def pairs(index):
    return find_public_pairs(index.series)


def uids(series):
    return [one.series_instance_uid for one in series]


def test_series_come_in_the_order_of_the_list_and_once(index, pairs, tmp_path):
    client, told = FakeClient(index), []
    missing = find_missing([*pairs, *pairs], tmp_path)
    assert uids(missing) == [uid for pair in pairs for uid in uids((pair.a, pair.b))]
    assert download(missing, tmp_path, client, told.append) == []
    assert client.asked == [uids(missing)]
    assert told == missing
    assert all(len(list(place_of(one, tmp_path).iterdir())) == 60 for one in missing)
    assert not (tmp_path / module.INCOMING).exists()


def test_what_is_there_is_not_fetched_again(index, pairs, tmp_path):
    write_series(pairs[0].a, place_of(pairs[0].a, tmp_path))
    write_series(pairs[0].b, place_of(pairs[0].b, tmp_path), files=3)
    missing = find_missing(pairs[:1], tmp_path)
    assert missing == [pairs[0].b]
    assert download(missing, tmp_path, FakeClient(index)) == []
    assert find_missing(pairs[:1], tmp_path) == []


def test_other_files_beside_slices_stay_and_say_nothing(index, pairs, tmp_path):
    one = pairs[0].a
    mask = place_of(one, tmp_path) / "mask.nii.gz"
    write_series(one, mask.parent)
    mask.write_bytes(b"drawn by hand")
    assert one not in find_missing(pairs, tmp_path)
    (mask.parent / "0.dcm").write_bytes(b"")
    assert download([one], tmp_path, FakeClient(index)) == []
    assert one not in find_missing(pairs, tmp_path)
    assert mask.read_bytes() == b"drawn by hand"


def test_one_download_at_a_time(index, pairs, tmp_path, monkeypatch):
    client = FakeClient(index)
    fetch = client.download_from_selection

    def fetch_twice(*args, **kwargs):
        with pytest.raises(OutputBusyError, match="another download writes there"):
            download([pairs[0].b], tmp_path, FakeClient(index))
        module.remove_remains(tmp_path)
        assert (tmp_path / module.INCOMING).exists()
        fetch(*args, **kwargs)

    monkeypatch.setattr(client, "download_from_selection", fetch_twice)
    assert download([pairs[0].a], tmp_path, client) == []
    assert download([pairs[0].b], tmp_path, FakeClient(index)) == []


def test_a_file_that_is_cut_off_makes_a_series_incomplete(pairs, tmp_path):
    place = place_of(pairs[0].a, tmp_path)
    write_series(pairs[0].a, place)
    (place / "0.dcm").write_bytes(b"")
    assert pairs[0].a in find_missing(pairs, tmp_path)


def test_a_series_that_fails_is_told_and_the_others_go_on(index, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 4)
    missing = find_missing(pairs, tmp_path)
    client = FakeClient(index, broken=(missing[1].series_instance_uid,))
    (failure,) = download(missing, tmp_path, client)
    assert failure.series == missing[1]
    assert failure.reason == "30 files of 30 bytes came, and the index says 60 of 60"
    assert [len(asked) for asked in client.asked] == [4, 4, 4, 4]
    assert find_missing(pairs, tmp_path) == [missing[1]]
    assert not place_of(missing[1], tmp_path).exists()


def test_it_stops_where_nothing_comes(index, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 4)
    missing = find_missing(pairs, tmp_path)
    client = FakeClient(index, broken=uids(missing))
    with pytest.raises(TrainingError, match=r"4 series in a row did not come.*is there a network"):
        download(missing, tmp_path, client)
    assert len(client.asked) == 1


@pytest.mark.parametrize("error", [ValueError("no such series"), OSError("no s5cmd")])
def test_an_error_of_the_client_is_a_failure(index, pairs, tmp_path, monkeypatch, error):
    client = FakeClient(index)

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(client, "download_from_selection", fail)
    (failure,) = download([pairs[0].a], tmp_path, client)
    assert failure.reason == f"the client failed ({error})"


def test_what_came_before_ctrl_c_stays(index, pairs, tmp_path, monkeypatch):
    missing = find_missing(pairs[:2], tmp_path)
    client = FakeClient(index)

    def stop_early(folder, *, seriesInstanceUID, **options):
        FakeClient.download_from_selection(
            client, folder, seriesInstanceUID=seriesInstanceUID[:1], **options
        )
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "download_from_selection", stop_early)
    with pytest.raises(KeyboardInterrupt):
        download(missing, tmp_path, client)
    assert find_missing(pairs[:2], tmp_path) == missing[1:]
    assert not (tmp_path / module.INCOMING).exists()


def test_too_little_room_is_told_first(index, pairs, tmp_path):
    large = replace(pairs[0].a, size=shutil.disk_usage(tmp_path).free * 2)
    client = FakeClient(index)
    with pytest.raises(OutputError, match=r"GB are to come, and .* GB are free"):
        download([large], tmp_path, client)
    assert client.asked == []


def test_a_folder_that_cannot_be_written(index, pairs, tmp_path):
    (tmp_path / "scans").touch()
    with pytest.raises(OutputError, match="scans: cannot be written to"):
        download([pairs[0].a], tmp_path / "scans", FakeClient(index))


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "idc_index", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'rgan-sdk\[public\]'"):
        open_client()
