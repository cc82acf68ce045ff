"""Programs for Keras-Prov: a model that records itself, and further transformations in its dataflow."""

from __future__ import annotations

from recorded import rows_of

KERAS_PROV = """
    import os
    import numpy as np
    import keras
    from dfa_lib_python.attribute import Attribute
    from dfa_lib_python.attribute_type import AttributeType
    from dfa_lib_python.dataset import DataSet
    from dfa_lib_python.element import Element
    from dfa_lib_python.set import Set
    from dfa_lib_python.set_type import SetType
    from dfa_lib_python.task import Task
    from dfa_lib_python.transformation import Transformation

    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    hyps = {"OPTIMIZER_NAME": True, "LEARNING_RATE": True, "DECAY": False, "MOMENTUM": False, "NUM_EPOCHS": True,
            "BATCH_SIZE": False, "NUM_LAYERS": True}
    model.provenance(dataflow_tag="Keras-AlexNet", adaptation=True, hyps=hyps)

    df = model.get_dataflow()
    tf_denseb = Transformation("DenseBlock")
    tf_denseb_input = Set("iDenseBlock", SetType.INPUT, [
        Attribute("growth_rate", AttributeType.NUMERIC), Attribute("layers_db", AttributeType.NUMERIC)])
    tf_denseb_output = Set("oDenseBlock", SetType.OUTPUT, [Attribute("output", AttributeType.TEXT)])
    tf_denseb.set_sets([tf_denseb_input, tf_denseb_output])
    df.add_transformation(tf_denseb)

    t_denseb = Task(4, "Keras-AlexNet", "DenseBlock")
    t_denseb.add_dataset(DataSet("iDenseBlock", [Element([1, "33"])]))
    t_denseb.begin()
    t_denseb.add_dataset(DataSet("oDenseBlock", [Element(["done"])]))
    t_denseb.end()

    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.random.default_rng(1).random((16, 4)), np.arange(16) % 2
    model.fit(x, y, epochs=2, verbose=0)
    model.evaluate(x, y, verbose=0)
"""


def test_a_program_for_keras_prov_runs_unchanged(store, run_script):
    run_script(KERAS_PROV)
    assert rows_of(store, "SELECT name, status, last_epoch FROM run") == [
        {"name": "Keras-AlexNet-1", "status": "finished", "last_epoch": 2}
    ]
    assert rows_of(store, "SELECT growth_rate, layers_db FROM idenseblock") == [{"growth_rate": 1, "layers_db": 33}]
    assert rows_of(store, "SELECT output FROM odenseblock") == [{"output": "done"}]
    assert rows_of(store, "SELECT optimizer_name, num_epochs FROM itrainingmodel") == [
        {"optimizer_name": "SGD", "num_epochs": 2}
    ]
    afters = rows_of(
        store,
        "SELECT LOWER(t.tag) AS tag, LOWER(d.tag) AS after FROM task_dependency JOIN task AS t USING (task_id)"
        " JOIN task AS d ON d.task_id = depends_on_task_id ORDER BY t.task_id",
    )
    assert {"tag": "training", "after": "denseblock"} in afters
