"""The baselines, small enough for a test."""

from qana.backbone import MobileNetV1, VggSmall


def small_mobilenet(form, **changes):
    arguments = dict(
        num_classes=3,
        form=form,
        width_multiplier=1.0,
        stem_channels=4,
        widths=[8, 12, 16],
        strides=[1, 2, 1],
        activation_bound=4.0,
    )
    return MobileNetV1(**{**arguments, **changes})


def small_vgg(form, **changes):
    arguments = dict(num_classes=3, form=form, widths=[4, 8, 12], depths=[1, 1, 2], activation_bound=4.0)
    return VggSmall(**{**arguments, **changes})


BUILD = {"mobilenet_v1": small_mobilenet, "vgg_small": small_vgg}
