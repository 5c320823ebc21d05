"""A first analysis, from a TIFF file to a project (the tutorial by script)."""

import numpy as np
import tifffile
from matplotlib.figure import Figure

import napari_mesmerize as mesmerize
from napari_mesmerize.data.epochs import epochs_to_frames, make_epochs
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.plots import plot_outlines, plot_projection, plot_traces
from napari_mesmerize.simulation import score_components, shift_error
from napari_mesmerize.transforms import project as project_image

# [a file]
simulation = mesmerize.simulate("2p-small", motion="rigid", seed=1)
tifffile.imwrite("mouse1_odours.tif", simulation.recording.to_numpy())

# [open]
recording = mesmerize.read_recording("mouse1_odours.tif", frame_rate=15.0)
print(recording.sizes, recording.attrs["frame_rate"])

# [motion]
params = mesmerize.RigidParams(max_shift=10)
corrected = mesmerize.correct_motion(recording, params)
print("largest shift:", abs(corrected.shifts).max(), "pixels")

# [extract]
components = mesmerize.extract_components(corrected.recording, mesmerize.CnmfParams())
print(len(components), "components,", components.accepted.sum(), "of them accepted")

# [rois]
rois = roi_table_from_components(components)
left = [np.mean(outline, axis=0)[-1] < 64 for outline in rois["outline"]]
rois["region"] = np.where(left, "anterior", "posterior")

# [stimuli]
epochs = make_epochs(
    [
        {"stimulus_type": "odour", "name": "rose", "start_s": 10, "stop_s": 15},
        {"stimulus_type": "odour", "name": "clove", "start_s": 30, "stop_s": 35},
        {"stimulus_type": "odour", "name": "rose", "start_s": 50, "stop_s": 55},
    ]
)

# [project]
project = mesmerize.create_project(
    "my_project", roi_tags=("region",), stimulus_types=("odour",)
)
project.add_sample(
    "mouse1",
    "odours",
    recording=corrected.recording,
    components=components,
    rois=rois,
    epochs=epochs,
    comments="My first sample.",
)

# [reopen]
reopened = mesmerize.open_project("my_project")
table = reopened.table()
print(table.groupby(["region", "accepted"]).size())

# [figure]
sample = reopened.sample("mouse1-_-odours")
accepted = sample.rois[sample.rois["accepted"].to_numpy(bool)]
figure = Figure(figsize=(10, 4), layout="constrained")
left_ax, right_ax = figure.subplots(1, 2)
images = project_image(corrected.recording, ("correlation",))
plot_projection(images["correlation"], ax=left_ax)
plot_outlines(list(accepted["outline"]), ax=left_ax)
plot_traces(
    sample.components.traces["denoised"][:8],
    times_s=np.arange(sample.components.n_frames) / 15.0,
    epochs=sample.epochs,
    ax=right_ax,
)
figure.savefig("first_analysis.png")

# [own roi]
square = np.array([[40, 40], [40, 60], [60, 60], [60, 40]])
trace = mesmerize.extract_traces(corrected.recording, [square])
change = mesmerize.dff(trace, frame_rate=15.0)
print("largest dF/F in the square:", float(change.max()))

# [responses]
responses = [
    float(change[0, start:stop].mean())
    for start, stop in epochs_to_frames(epochs, recording)[
        ["start_frame", "stop_frame"]
    ].to_numpy()
]
print("mean dF/F during each epoch:", responses)

# [truth]
error = shift_error(corrected.shifts, simulation.truth.shifts)
score = score_components(
    simulation.truth, components.select(components.accepted), offset=error["offset"]
)
print("shift error:", error["rmse"], "px; F1:", score["f1"])

assert error["rmse"] < 0.2
assert score["f1"] > 0.6
assert len(table) == len(rois) == len(components)
assert len(responses) == len(epochs)
assert (table["region"] != "").all()
