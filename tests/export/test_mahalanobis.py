from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.neighbors import KernelDensity
from torch import nn

from edge.bundle import open_bundle
from edge.errors import BundleError, ConfigError
from export.__main__ import main
from export.adapters.good_frames import Prepared, prepare
from export.adapters.mahalanobis import fit_image, fit_places
from export.adapters.mahalanobis_network import embedding_of, read_layout
from export.adapters.mahalanobis_settings import ImageSettings, PlaceSettings
from export.adapters.registering import GoodFrame
from export.checkpoint import load_checkpoint
from export.nets.mahalanobis import enlarging, places
from export.nets.sspcab import MaskedBlock
from export.proof import run_once
from tests.export.mahalanobis_files import SIDE, bare, drawn, good_folder, lilityolyan, runinho, saved, scene, screw

SIZE = (SIDE, SIDE)


def prepared(count=6, size_wh=SIZE):
    frames = (GoodFrame(scene(seed), str(seed)) for seed in range(count))
    return prepare(frames, size_wh, "antialiased_bilinear")


def read(state, tmp_path, inner=None):
    return load_checkpoint(saved(state, tmp_path / "net.pt"), inner=inner, strip=("module.", "model."))


def as_tensor(image):
    return torch.from_numpy(image)[None]


def test_a_projects_habits_hold_where_nothing_is_said(tmp_path):
    for state, expected in ((runinho(), ("backbone", True, "gaussian")), (lilityolyan(), ("head", False, "kde"))):
        settings = ImageSettings(SIZE).settled(read_layout(read(state, tmp_path)))
        assert (settings.embedding, settings.normalise, settings.density) == expected


def test_the_gaussian_score_is_the_distance_of_the_unit_vector(tmp_path):
    checkpoint, good = read(runinho(), tmp_path), prepared()
    fitted = fit_image(checkpoint, ImageSettings(SIZE), good, "antialiased_bicubic")
    settings = ImageSettings(SIZE).settled(read_layout(checkpoint))
    embedding = embedding_of(checkpoint, read_layout(checkpoint), settings)
    vectors = np.concatenate([embedding(as_tensor(image)).numpy() for image in good.images])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    from sklearn.covariance import LedoitWolf

    density = LedoitWolf().fit(vectors.astype(np.float64))
    probe = scene(99, SIZE)
    probe[10:30, 10:30] = 255
    expected = density.mahalanobis(embedding(as_tensor(probe)).numpy().astype(np.float64))[0] ** 0.5
    assert float(fitted.module(as_tensor(probe))) == pytest.approx(expected, rel=1e-3)


def test_the_kernel_density_is_scikit_learns_less_its_constant(tmp_path):
    checkpoint, good = read(lilityolyan(), tmp_path), prepared()
    fitted = fit_image(checkpoint, ImageSettings(SIZE, bandwidth=0.3), good, "antialiased_bilinear")
    embedding = embedding_of(checkpoint, read_layout(checkpoint), ImageSettings(SIZE).settled(read_layout(checkpoint)))
    bank = np.concatenate([embedding(as_tensor(image)).numpy() for image in good.images])
    probe = as_tensor(np.ascontiguousarray(scene(99, SIZE)[::-1]))
    expected = -KernelDensity(bandwidth=0.3).fit(bank).score_samples(embedding(probe).numpy())[0]
    assert float(fitted.module(probe)) + fitted.parameters["density_constant"] == pytest.approx(expected, rel=1e-4)


def test_runinhos_head_ends_in_a_relu_and_lilityolyans_does_not(tmp_path):
    least = {}
    for name, state in (("runinho", runinho()), ("lilityolyan", lilityolyan())):
        checkpoint = read(state, tmp_path)
        settings = ImageSettings(SIZE, embedding="head", normalise=False).settled(read_layout(checkpoint))
        embedding = embedding_of(checkpoint, read_layout(checkpoint), settings)
        least[name] = min(float(embedding(as_tensor(scene(seed, SIZE))).min()) for seed in range(3))
    assert least["runinho"] >= 0 > least["lilityolyan"]


def test_the_map_is_padims_formula_place_by_place(tmp_path):
    checkpoint, good = read(bare(), tmp_path), prepared(5)
    settings = PlaceSettings(SIZE, channels=7, sigma=2.0)
    fitted = fit_places(checkpoint, settings, good, "antialiased_bilinear")
    embedding = fitted.module.embedding
    vectors = np.concatenate([embedding(as_tensor(image)).numpy() for image in good.images]).reshape(5, 7, -1)
    probe = scene(50, SIZE)
    probe[20:40, 20:40] = (255, 0, 0)
    seen = embedding(as_tensor(probe)).numpy().reshape(7, -1)
    small = np.empty(seen.shape[1])
    for place in range(seen.shape[1]):
        here = vectors[:, :, place].astype(np.float64)
        apart = seen[:, place] - here.mean(0)
        small[place] = (apart @ np.linalg.inv(np.cov(here, rowvar=False) + 0.01 * np.eye(7)) @ apart) ** 0.5
    full = nn.functional.interpolate(torch.from_numpy(small.reshape(1, 1, 16, 16)), size=SIZE, mode="bilinear").numpy()
    expected = gaussian_filter(full[0, 0], 2.0)
    found = fitted.module(as_tensor(probe)).numpy()[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * expected.max())
    assert found[20:40, 20:40].mean() > 2 * found[50:, 50:].mean()


@pytest.mark.parametrize(("given", "wanted", "sigma"), [(16, 64, 4.0), (3, 9, 4.0), (1, 4, 1.0), (20, 80, 0.0)])
def test_one_matrix_enlarges_and_smooths(given, wanted, sigma):
    line = np.random.default_rng(0).random((given, given))
    full = nn.functional.interpolate(torch.from_numpy(line)[None, None], size=(wanted, wanted), mode="bilinear")[0, 0].numpy()
    expected = gaussian_filter(full, sigma) if sigma else full
    matrix = enlarging(given, wanted, sigma).numpy()
    np.testing.assert_allclose(matrix @ line @ matrix.T, expected, atol=1e-6)


@pytest.mark.parametrize("side", [32, 33, 34, 35, 63, 250])
def test_the_places_are_those_of_the_first_stage(side):
    from export.nets.resnet import Resnet
    from tests.export.mahalanobis_files import TINY

    assert Resnet(TINY).eval()(torch.zeros(1, 3, side, 32))[0].shape[2] == places(side)


def test_the_masked_block_never_sees_its_middle():
    block = drawn(MaskedBlock(4, 2, 1, 1))
    block.se = nn.Identity()
    x = torch.rand(1, 4, 9, 9)
    other = x.clone()
    other[:, :, 4, 4] += 100
    changed = (block(x) != block(other)).any(1)[0].nonzero().tolist()
    assert changed
    assert [4, 4] not in changed
    assert {(abs(y - 4), abs(x - 4)) for y, x in changed} == {(2, 2)}


def test_a_masked_block_must_be_given_its_place(tmp_path):
    # The block looks two places away: the deepest map must be larger than that.
    size_wh = (160, 160)
    checkpoint, good = read(screw(), tmp_path), prepared(size_wh=size_wh)
    with pytest.raises(ConfigError, match="does not say where it stands") as refused:
        fit_image(checkpoint, ImageSettings(size_wh), good, "antialiased_bilinear")
    assert "branch" in refused.value.remedy
    through, beside = (
        fit_image(checkpoint, ImageSettings(size_wh, block=block), good, "antialiased_bilinear")
        for block in ("layer4", "branch")
    )
    probe = as_tensor(scene(50, size_wh))
    assert float(through.module(probe)) != pytest.approx(float(beside.module(probe)), rel=1e-3)
    with pytest.raises(ConfigError, match="no masked block"):
        fit_image(read(bare(), tmp_path), ImageSettings(size_wh, block="branch"), good, "antialiased_bilinear")


@pytest.mark.parametrize("level", ["image", "patch"])
def test_the_command_writes_a_bundle_that_finds_what_was_put_there(tmp_path, level, capsys):
    path, good = saved(runinho(), tmp_path / "model-x.tch"), good_folder(tmp_path / "good")
    call = ["mahalanobis", "--checkpoint", str(path), "--images", str(good), "--out", str(tmp_path / "bundle"), "--quiet"]
    assert main([*call, "--level", level, "--size", "64x64", "--channels", "10"]) == 0
    bundle = open_bundle(tmp_path / "bundle")
    manifest = bundle.manifest
    assert manifest.family == "mahalanobis"
    assert manifest.training.images == 6
    assert len(manifest.training.sha256) == 6
    assert manifest.resize.kernel == "antialiased_bicubic"
    assert manifest.has_map == (level == "patch")
    assert manifest.masking.fill == ("none" if level == "patch" else "reference")
    assert bundle.name in capsys.readouterr().out
    clean, spoilt = scene(77, SIZE), scene(77, SIZE)
    spoilt[20:44, 20:44] = (0, 255, 0)
    name = manifest.outputs[0].name
    for precision in ("float32", "float16"):
        model = bundle.model_bytes(precision)
        a, b = (float(run_once(model, {"image": image[None]})[name].max()) for image in (clean, spoilt))
        assert b > 1.5 * a


def test_frames_are_registered_to_a_reference_and_masks_show_it(tmp_path):
    from edge.settings.judging import MaskPolygon

    corner = MaskPolygon(name="corner", points=((0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5)))
    reference = scene(0)
    frames = [GoodFrame(scene(seed), str(seed)) for seed in range(5)]
    from edge.settings.registration import Gates, RegistrationSettings

    loose = RegistrationSettings(mode="none", gates=Gates(min_similarity=-1))
    shown = prepare(frames, SIZE, "cv2_area", reference=reference, register=loose, polygons=(corner,))
    assert all((image[:32, :32] == shown.images[0][:32, :32]).all() for image in shown.images)
    assert any((image[32:, 32:] != shown.images[0][32:, 32:]).any() for image in shown.images[1:])
    with pytest.raises(ConfigError, match="masks need the image"):
        prepare(frames, SIZE, "cv2_area", polygons=(corner,))
    with pytest.raises(ConfigError, match="the reference is 96x80"):
        prepare([GoodFrame(scene(0, (40, 40)), "odd.png")], SIZE, "cv2_area", reference=reference, register=loose)
    with pytest.raises(ConfigError, match="2 usable good frames"):
        prepare(frames[:2], SIZE, "cv2_area")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--density", "kde", "--level", "patch"], "--density: is of --level image"),
        (["--stages", "2,3", "--level", "patch"], "first stage must be 1"),
        (["--stages", "0", "--level", "patch"], "no list of stages"),
        (["--bandwidth", "0"], "--bandwidth: 0"),
        (["--size", "16x16"], "--size"),
        (["--block", "layer4"], "no masked block"),
        (["--gaussian", "none.npz"], "--images: is not used with"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, options, said, capsys):
    path, good = saved(runinho(), tmp_path / "model-x.tch"), good_folder(tmp_path / "good", 5)
    call = ["mahalanobis", "--checkpoint", str(path), "--images", str(good), "--out", str(tmp_path / "b"), "--quiet"]
    assert main([*call, "--size", "64x64", *options]) == 3
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "b").exists()


def test_a_lightning_file_with_its_hyper_parameters_is_read(tmp_path):
    whole = {"epoch": 3, "state_dict": lilityolyan(), "hyper_parameters": {"encoder": "resnet18", "dims": [16, 4]}}
    path, good = saved(whole, tmp_path / "weights.ckpt"), good_folder(tmp_path / "good", 5)
    call = ["mahalanobis", "--checkpoint", str(path), "--images", str(good), "--out", str(tmp_path / "b"), "--quiet"]
    assert main([*call, "--size", "64x64"]) == 0
    parameters = open_bundle(tmp_path / "b").manifest.parameters
    assert (parameters["density"], parameters["embedding"]) == ("kde", "head")


@pytest.mark.parametrize("change", ["missing", "shape", "nan", "huge", "none"])
def test_a_damaged_network_is_refused(tmp_path, change):
    state = runinho()
    name = "resnet18.layer3.0.conv2.weight"
    if change == "missing":
        del state[name]
    elif change == "shape":
        state[name] = torch.zeros(3, 3, 3, 3)
    elif change == "nan":
        state[name] = torch.full_like(state[name], float("nan"))
    elif change == "huge":
        state["resnet18.layer4.0.conv1.weight"] = torch.zeros(1).expand(1 << 20, 16, 3, 3)
        state["resnet18.layer4.0.conv2.weight"] = torch.zeros(1).expand(16, 1 << 20, 3, 3)
    else:
        state = {"weight": torch.zeros(3)}
    with pytest.raises((BundleError, ConfigError)) as refused:
        fit_image(read(state, tmp_path), ImageSettings(SIZE), prepared(), "cv2_area")
    assert refused.value.remedy


def test_more_gaussians_than_fit_are_refused_before_they_are_made(tmp_path):
    many = Prepared(prepared().images * 4000, ("x",), (), ())
    with pytest.raises(ConfigError, match="MiB") as refused:
        fit_places(read(bare(), tmp_path), PlaceSettings((2048, 2048), channels=32), many, "cv2_area")
    assert refused.value.where == "--channels"
