from support.damage import FILES

from rgan_sdk.run.state.damage import find_damage


def test_a_folder_with_its_files_is_not_damaged(folder):
    assert find_damage(folder, FILES) == ""


def test_what_differs_is_named(folder):
    (folder / "1.dcm").write_text("abcdef")
    assert find_damage(folder, FILES) == "file of 6 instead of 3 bytes: 1.dcm"
    (folder / "2.dcm").unlink()
    (folder / "thumbs").mkdir()
    assert find_damage(folder, FILES) == "file of 6 instead of 3 bytes: 1.dcm (and 2 more)"
    (folder / "1.dcm").unlink()
    (folder / "1.dcm").symlink_to(folder / "thumbs")
    assert find_damage(folder, FILES[:1]) == "not a regular file: 1.dcm (and 1 more)"
    assert find_damage(folder / "thumbs", ()) == ""


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "1.2.3").touch()
    assert find_damage(tmp_path / "1.2.3", FILES) == "not a folder"


def test_a_link_is_no_folder_even_if_it_leads_to_one(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert find_damage(tmp_path / "link", FILES) == "a symbolic link in place of its folder"
    (tmp_path / "astray").symlink_to(tmp_path / "unmounted")
    assert find_damage(tmp_path / "astray", FILES) == "a symbolic link in place of its folder"
