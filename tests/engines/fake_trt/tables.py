"""What TensorRT has and no longer has, from the sources of 8.6.1, 10.3, 10.13 and 11.1 (platform.md 1.3), and of RTX 1.7.1.

`bindings.json` has the names of the classes and enumerations of those four as their Python bindings define them
(NVIDIA/TensorRT, python/src): test_fakes.py holds the stand-ins against it.
"""

from __future__ import annotations

from dataclasses import dataclass

_FLAGS_ALL = ("DEBUG", "GPU_FALLBACK", "REFIT", "TF32", "SPARSE_WEIGHTS", "DIRECT_IO", "VERSION_COMPATIBLE")
_WEAK = ("FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS", "PREFER_PRECISION_CONSTRAINTS")
_TYPES = ("FLOAT", "HALF", "INT8", "INT32", "BOOL", "UINT8")
_CLASSIC_RUNTIME = ("execute_async_v2", "num_bindings", "get_binding_name", "binding_is_input", "get_binding_shape")


@dataclass(frozen=True)
class Release:
    """One version's names, as far as an engine may be tempted to use them. gone: `Class.name` that it must not have."""

    version: str
    flavour: str
    network_flags: tuple[str, ...]
    builder_flags: tuple[str, ...]
    types: tuple[str, ...]
    gone: tuple[str, ...]
    progress_monitor: bool = True
    inspector_datatype: bool = False
    binding_api: bool = False

    @property
    def strongly_typed_always(self) -> bool:
        return self.flavour == "tensorrt_rtx" or self.version.startswith("11.")

    @property
    def has_layer_precision(self) -> bool:
        return not self.strongly_typed_always


_GONE_10 = (
    "Builder.build_engine", "Builder.build_cuda_engine", "Builder.max_batch_size", "IBuilderConfig.max_workspace_size",
    *(f"ICudaEngine.{name}" for name in _CLASSIC_RUNTIME[1:]), "IExecutionContext.execute_async_v2",
)  # fmt: skip
_GONE_11 = (
    *_GONE_10, "NetworkDefinitionCreationFlag.EXPLICIT_BATCH", *(f"BuilderFlag.{name}" for name in (*_WEAK, "BF16")),
    "Builder.platform_has_fast_fp16", "ICudaEngine.device_memory_size", "IExecutionContext.all_shape_inputs_specified",
    "ILayer.precision", "ILayer.set_output_type",
)  # fmt: skip

RELEASES = {
    release.version: release
    for release in (
        Release(
            "8.6.1", "tensorrt", ("EXPLICIT_BATCH", "EXPLICIT_PRECISION"), (*_FLAGS_ALL, *_WEAK), _TYPES,
            ("NetworkDefinitionCreationFlag.STRONGLY_TYPED", "IProgressMonitor", "BuilderFlag.STRICT_NANS"),
            progress_monitor=False, binding_api=True,
        ),
        Release(
            "10.3.0", "tensorrt", ("EXPLICIT_BATCH", "STRONGLY_TYPED"), (*_FLAGS_ALL, *_WEAK, "BF16", "FP8"),
            (*_TYPES, "FP8", "BF16", "INT64", "INT4"), (*_GONE_10, "BuilderFlag.STRICT_NANS"),
        ),
        Release(
            "10.13.3.9", "tensorrt", ("EXPLICIT_BATCH", "STRONGLY_TYPED"),
            (*_FLAGS_ALL, *_WEAK, "BF16", "FP8", "INT4", "STRICT_NANS", "EDITABLE_TIMING_CACHE"),
            (*_TYPES, "FP8", "BF16", "INT64", "INT4", "FP4"), _GONE_10,
        ),
        Release(
            "11.4.0.106", "tensorrt", ("STRONGLY_TYPED",), (*_FLAGS_ALL, "STRICT_NANS", "EDITABLE_TIMING_CACHE"),
            (*_TYPES, "FP8", "BF16", "INT64", "INT4", "FP4"), _GONE_11, inspector_datatype=True,
        ),
        Release(
            "1.7.1.116", "tensorrt_rtx", ("STRONGLY_TYPED",), (*_FLAGS_ALL, "STRICT_NANS"),
            (*_TYPES, "FP8", "BF16", "INT64", "INT4", "FP4"), _GONE_11, inspector_datatype=True,
        ),
    )
}  # fmt: skip
