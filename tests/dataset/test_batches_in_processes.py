import torch
from numbered_images import TARGET, image_set, shown, train_batches

from qana.dataset import EvalBatches


def record_one_process(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    source = image_set()
    batches = train_batches(source)
    record = {
        "train": [shown(batches) for _ in range(2)],
        "train_batches": len(batches),
        "eval": shown(EvalBatches(source, 10)),
        "eval_batches": len(EvalBatches(source, 10)),
    }
    torch.save(record, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_share_each_epoch_and_make_equally_many_batches(tmp_path):
    torch.multiprocessing.spawn(record_one_process, (str(tmp_path),), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    for rows_one, rows_two in zip(one["train"], two["train"], strict=True):
        assert len(rows_one) == len(rows_two) == 50
        assert not set(rows_one) & set(rows_two)
    assert one["train"][0] != one["train"][1]
    assert sorted(one["eval"] + two["eval"]) == list(range(len(TARGET)))
    assert (
        (one["train_batches"], one["eval_batches"]) == (two["train_batches"], two["eval_batches"]) == (5, 6)
    )
