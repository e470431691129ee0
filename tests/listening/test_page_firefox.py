"""The page in Debian's Firefox, by WebDriver BiDi (``pytest -m firefox``): `support/firefox.mjs`.

Sound goes to a PulseAudio server of the test's own, whose one device throws it away, or nowhere.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.listening_page import SYSTEMS, Stage
from tests.support.waiting import until


@pytest.fixture
def null_sink(tmp_path):
    """The socket of a sound server whose one device is heard by nobody."""
    if not shutil.which("pulseaudio"):
        pytest.skip("no pulseaudio on this machine: apt-get install pulseaudio")
    socket = tmp_path / "sound.socket"
    listen = f"--load=module-native-protocol-unix auth-anonymous=1 socket={socket}"
    command = ["pulseaudio", "-n", "--exit-idle-time=-1", "--load=module-null-sink", listen]
    env = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        until(socket.is_socket, "the sound server", 30)
        yield socket
        process.terminate()


@pytest.mark.firefox
@pytest.mark.parametrize("way", ["whole", "silent"])
def test_firefox_plays_or_tells_that_nothing_sounds(way, request, tmp_path):
    api = pytest.importorskip("playwright")
    firefox, node = shutil.which("firefox-esr"), Path(api.__file__).parent / "driver/node"
    if firefox is None:
        pytest.skip("no firefox on this machine: apt-get install firefox-esr")
    socket = request.getfixturevalue("null_sink") if way == "whole" else tmp_path / "none"
    stage = Stage(tmp_path / "test", pages=1, systems=SYSTEMS[:1], contact="Ada")
    with stage.served():
        env = {**os.environ, "PULSE_SERVER": f"unix:{socket}"}
        if way == "silent":
            env["TOKEN"] = stage.enrol()
        profile = tmp_path / "profile"
        profile.mkdir()
        script = Path(__file__).parents[1] / "support/firefox.mjs"
        command = [node, script, firefox, profile, stage.origin, way]
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=300, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    if way == "whole":
        (body,) = stage.done
        assert all(1 <= heard.heard_s < body.time_s for heard in body.heard.values())
        assert [rated.score for rated in body.ratings] == [75, 75]
