import pytest
import torch
from loss_examples import LOSSES
from sklearn.metrics import accuracy_score
from small_training import augmentation, fit, quantization, splits, splits_with_few_of_the_last_class

pytestmark = pytest.mark.parametrize("name", LOSSES)


def predicted(network, image_set):
    images = torch.from_numpy(image_set.images).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        return network.eval()(images).argmax(1).numpy()


def test_an_easy_task_is_learned_from_mixed_labels(tmp_path, name):
    mixing = augmentation(mixup_alpha=0.2)
    network, _ = fit(tmp_path, loss=LOSSES[name](), augmentation=mixing, sampler="instance", float_epochs=24)
    test = splits().test
    assert accuracy_score(test.target, predicted(network, test)) > 0.9


def test_a_class_without_training_images_leaves_the_weights_finite(tmp_path, name):
    network, witness = fit(
        tmp_path,
        loss=LOSSES[name](),
        data=splits_with_few_of_the_last_class(0),
        scheme=quantization(),
        float_epochs=2,
        quantized_epochs=1,
    )
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    assert all(torch.isfinite(value).all() for value in witness.state.values())
