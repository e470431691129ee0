"""From a signal to the vector of its speaker: four networks, each loaded from its published files.

What a loader returns takes mono audio at 16 kHz and gives a vector. Imports torch: to be imported
where a network is loaded.
"""

import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional as F

from snacbench.errors import Undefined
from snacbench.later import librosa, transformers
from snacbench.metrics._learned import Files, tensor_names
from snacbench.types import Audio, FloatSamples

Embed = Callable[[Audio], Tensor]
State = Mapping[str, Tensor]

RATE_HZ = 16_000


def _read(file: Any) -> Any:
    return torch.load(file, map_location="cpu", weights_only=True)


def _samples(audio: Audio) -> Tensor:
    return torch.from_numpy(np.array(audio.samples[0]))


def _renamed(state: State, names: list[tuple[str, str]]) -> Iterator[tuple[str, Tensor]]:
    """Tensors by other names: each pattern replaced, one after the other."""
    for name, value in state.items():
        for pattern, ours in names:
            name = re.sub(pattern, ours, name)  # noqa: PLW2901
        yield name, value


def _under(prefix: str, state: State) -> State:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


# ------------------------------------------------------------------------------------- ECAPA-TDNN
class Ecapa:
    """From features of shape (1, features, frames) to a vector, by tensors under these names.

    Desplanques, Thienpondt, Demuynck, "ECAPA-TDNN", Interspeech 2020. Speechbrain's follows the
    paper; Microsoft's, on top of WavLM, differs where it is asked which one it is.
    """

    def __init__(self, state: State, *, speechbrain: bool) -> None:
        self.state, self.speechbrain = state, speechbrain
        self(torch.zeros(1, state["blocks.0.conv.weight"].shape[1], 25))  # fails if any misfits

    def __call__(self, x: Tensor) -> Tensor:
        made = [self._layer(x, "blocks.0")]
        for number in (1, 2, 3):
            made.append(self._block(made[-1], f"blocks.{number}", dilation=number + 1))
        x = torch.cat(made[1:], 1)
        if self.speechbrain:
            x = self._layer(x, "mfa")
            even = torch.full_like(x[:, :1], 1 / x.shape[2])
            context = [part.expand_as(x) for part in self._statistics(x, even)]  # section 3.1
            seen = self._layer(torch.cat([x, *context], 1), "asp.tdnn")
        else:
            x = self._conv(x, "mfa.conv").relu()
            seen = self._conv(x, "asp.tdnn.conv")
        weights = self._conv(seen.tanh(), "asp.conv").softmax(2)
        pooled = self._norm(torch.cat(self._statistics(x, weights), 1), "asp_bn")
        return self._conv(pooled, "fc")[0, :, 0]

    def _block(self, x: Tensor, name: str, dilation: int) -> Tensor:
        """SE-Res2Block (section 3.2): of eight parts of the channels, one passes as it is."""
        parts = list(self._layer(x, f"{name}.tdnn1").chunk(8, 1))
        unchanged = parts.pop(0 if self.speechbrain else 7)
        y, made = torch.zeros_like(unchanged), []
        for number, part in enumerate(parts):
            y = self._layer(part + y, f"{name}.res2net_block.blocks.{number}", dilation)
            made.append(y)
        made.insert(0 if self.speechbrain else 7, unchanged)
        y = self._layer(torch.cat(made, 1), f"{name}.tdnn2")
        squeezed = self._conv(y.mean(2, keepdim=True), f"{name}.se_block.conv1").relu()
        return x + y * self._conv(squeezed, f"{name}.se_block.conv2").sigmoid()

    def _layer(self, x: Tensor, name: str, dilation: int = 1) -> Tensor:
        return self._norm(self._conv(x, f"{name}.conv", dilation).relu(), f"{name}.norm")

    def _conv(self, x: Tensor, name: str, dilation: int = 1) -> Tensor:
        weight = self.state[f"{name}.weight"]
        around = weight.shape[2] // 2 * dilation
        padded = F.pad(x, (around, around), "reflect" if self.speechbrain else "constant")
        return F.conv1d(padded, weight, self.state[f"{name}.bias"], dilation=dilation)

    def _norm(self, x: Tensor, name: str) -> Tensor:
        of = ("running_mean", "running_var", "weight", "bias")
        mean, variance, weight, bias = (self.state[f"{name}.{part}"] for part in of)
        return F.batch_norm(x, mean, variance, weight, bias)

    def _statistics(self, x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted mean and standard deviation over the frames, as each of the two rounds it."""
        mean = (weights * x).sum(2, keepdim=True)
        if self.speechbrain:
            variance = (weights * (x - mean) ** 2).sum(2, keepdim=True).clamp(1e-12)
        else:
            variance = ((weights * x**2).sum(2, keepdim=True) - mean**2).clamp(1e-9)
        return mean, variance.sqrt()


def ecapa(files: Files) -> Embed:
    """ECAPA-TDNN on 80 mel bands in dB, of each of which the mean over the signal is taken away."""
    (file,) = files.values()
    wrapped = [(r"\.(conv|norm)(?=\.\w+$)", "")]  # each layer lies in one of the same name
    network = Ecapa(dict(_renamed(_read(file), wrapped)), speechbrain=True)

    @torch.inference_mode()
    def embed(audio: Audio) -> Tensor:
        bands = fbank(_samples(audio))
        return network((bands - bands.mean(1, keepdim=True))[None])

    return embed


def fbank(samples: Tensor, bands: int = 80) -> Tensor:
    """Speechbrain's mel spectrum in dB, of shape (bands, frames), at most 80 dB under its peak.

    Periodic Hamming windows of 25 ms, 10 ms apart, of signals with zeros around them; triangles as
    wide to the right as to the left, though the next band is farther away there.
    """
    window = torch.hamming_window(400)
    spectrum = torch.stft(
        samples, 400, 160, window=window, pad_mode="constant", return_complex=True
    )
    power = torch.view_as_real(spectrum).square().sum(-1)
    mel = torch.linspace(0, 2595 * math.log10(1 + 8000 / 700), bands + 2)
    edges_hz = 700 * (10 ** (mel / 2595) - 1)
    slope = (torch.linspace(0, 8000, 201) - edges_hz[1:-1, None]) / edges_hz.diff()[:-1, None]
    filters = (1 - slope.abs()).clamp(min=0)
    level_db = 10 * (filters @ power).clamp(min=1e-10).log10()
    return level_db.clamp(min=float(level_db.max()) - 80)


# ------------------------------------------------------------------------------------------ WavLM
def wavlm_large(files: Files) -> Embed:
    """WavLM Large and on top of it ECAPA-TDNN, fine-tuned together.

    Hidden states of all layers, weighted; each channel of the sum brought to zero mean and unit
    variance over the frames.
    """
    (file,) = files.values()
    state = _read(file)["model"]
    # Torchaudio's network, in which query, key and value are one tensor.
    theirs = _under("feature_extract.model.", state)
    ours = {k: v for k, v in theirs.items() if not re.search(r"^mask_emb$|\.[qkv]_proj\.", k)}
    for name in (k for k in theirs if ".q_proj." in k):
        parts = [theirs[name.replace(".q_", f".{letter}_")] for letter in "qkv"]
        ours[name.replace(".q_", ".qkv_")] = torch.cat(parts)
    with torch.device("meta"):
        wavlm = torchaudio.models.wavlm_large().eval()
    wavlm.load_state_dict(dict(_renamed(ours, tensor_names("wavlm"))), assign=True)
    weights = state["feature_weight"].softmax(0)
    wide = {  # a linear layer is a convolution of width 1
        name: value[..., None] if value.dim() == 2 else value
        for name, value in state.items()
        if not name.startswith("feature_extract.")
    }
    head = Ecapa(dict(_renamed(wide, tensor_names("ecapa_on_wavlm"))), speechbrain=False)

    @torch.inference_mode()
    def embed(audio: Audio) -> Tensor:
        mixed = torch.einsum("l,lfc->cf", weights, hidden_states(wavlm, _samples(audio))) + 1e-6
        return head(F.instance_norm(mixed[None]))

    return embed


def hidden_states(wavlm: Any, samples: Tensor) -> Tensor:
    """What goes into each of the N layers, and what comes out, of shape (N + 1, frames, width).

    `samples` of shape (time,) are first brought to zero mean and unit variance.
    """
    normal, transformer = F.layer_norm(samples, samples.shape), wavlm.encoder.transformer
    x = wavlm.encoder.feature_projection(wavlm.feature_extractor(normal[None], None)[0])
    x = x + transformer.pos_conv_embed(x)
    states, bias = [x], None
    for layer in transformer.layers:
        x, bias = layer(x, None, position_bias=bias)
        states.append(x)
    states[-1] = transformer.layer_norm(x)
    return torch.cat(states)


def wavlm_base_plus(files: Files) -> Embed:
    """WavLM Base+ and an x-vector head, with the feature extractor that its publisher states."""

    def told(name: str) -> Any:
        return json.loads(files[name].read_text("utf-8"))

    described, config = told("preprocessor_config.json"), told("config.json")
    extractor: Any = transformers.Wav2Vec2FeatureExtractor.from_dict(described)
    config = transformers.WavLMConfig.from_dict(config)
    network = transformers.WavLMForXVector(config).eval()
    del network.objective  # of its training
    state = _read(files["pytorch_model.bin"])
    network.load_state_dict({k: v for k, v in state.items() if not k.startswith("objective.")})

    @torch.inference_mode()
    def embed(audio: Audio) -> Tensor:
        heard = extractor(audio.samples[0], sampling_rate=RATE_HZ, return_tensors="pt")
        return network(heard.input_values).embeddings[0]

    return embed


# ------------------------------------------------------------------------------------ Resemblyzer
_WINDOW = 480  # of the voice detector, 30 ms
_SMOOTHED, _KEPT = 8, 6  # windows that vote together, and of silence that stay between voices
_HOP, _FRAMES, _STEP = 160, 160, 77  # samples; frames of a partial utterance, 1.3 of which a second
_LEAST_VOICE_S = 0.5


def resemblyzer(files: Files) -> Embed:
    """Three LSTM layers on partial utterances of 1.6 s, of what a detector takes for voice.

    Wan et al.: "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018, section 2. The
    vector is the mean of theirs, of length 1 as each of them and without a negative entry.
    """
    (wheel,) = files.values()
    with zipfile.ZipFile(wheel) as archive:  # nothing is imported from it
        state = _read(io.BytesIO(archive.read("resemblyzer/pretrained.pt")))["model_state"]
    lstm = nn.LSTM(40, 256, 3, batch_first=True)
    lstm.load_state_dict(_under("lstm.", state))

    @torch.inference_mode()
    def embed(audio: Audio) -> Tensor:
        voice = voiced(audio.samples[0])
        if len(voice) < _LEAST_VOICE_S * RATE_HZ:
            raise Undefined(
                f"too short: the detector finds {len(voice) / RATE_HZ:.3f} s of voice in "
                f"{audio.duration_s:.3f} s, {_LEAST_VOICE_S:.3f} s are needed"
            )
        last = lstm(mel_partials(voice))[1][0][-1]
        vectors = F.linear(last, state["linear.weight"], state["linear.bias"]).relu()
        return F.normalize(F.normalize(vectors, eps=0.0).mean(0), dim=0)

    return embed


def voiced(samples: FloatSamples) -> FloatSamples:
    """The signal at -30 dBFS or more, without what WebRTC's detector takes for no voice.

    Silence between voices stays where it is short, at most 0.18 s.
    """
    import webrtcvad

    level_dbfs = 10 * math.log10(float(np.mean(np.square(samples, dtype=np.float64))))
    gain = np.float64(10) ** (max(0.0, -30.0 - level_dbfs) / 20)  # what is softer is made as loud
    loud = (samples * gain).astype(np.float32)
    windows = loud[: len(loud) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
    detector, pcm = webrtcvad.Vad(3), np.rint(np.clip(windows, -1, 1) * 32_767).astype("<i2")
    votes = [detector.is_speech(window.tobytes(), RATE_HZ) for window in pcm]
    majority = np.convolve(votes, np.ones(_SMOOTHED))[_SMOOTHED // 2 :][: len(votes)]
    spoken = np.convolve(majority > _SMOOTHED / 2, np.ones(_KEPT + 1))[_KEPT // 2 :][: len(votes)]
    return windows[spoken > 0].reshape(-1)


def mel_partials(samples: FloatSamples) -> Tensor:
    """Mel spectra of partial utterances, of shape (partial utterances, frames, bands)."""
    frames = math.ceil((len(samples) + 1) / _HOP)
    starts = list(range(0, max(1, frames - _FRAMES + _STEP + 1), _STEP))
    covered = (len(samples) - starts[-1] * _HOP) / (_FRAMES * _HOP)
    if covered < 0.75 and len(starts) > 1:  # of the last partial utterance, or it is left out
        starts.pop()
    end = (starts[-1] + _FRAMES) * _HOP
    padded = np.pad(samples, (0, max(0, end - len(samples))))
    mel = librosa.feature.melspectrogram(
        y=padded, sr=RATE_HZ, n_fft=400, hop_length=_HOP, n_mels=40
    )
    return torch.stack([torch.from_numpy(mel[:, start : start + _FRAMES].T) for start in starts])
