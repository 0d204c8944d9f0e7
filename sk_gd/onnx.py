"""Conversion of fitted models to ONNX graphs, which predict without Python; by skl2onnx."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from . import losses
from .estimators import GDClassifier, GDRegressor
from .losses.base import Loss
from .losses.classification import LogLoss, ModifiedHuber
from .losses.regression import LogLink

__all__ = ["register"]


def register():
    """Enable skl2onnx to convert `sk_gd.GDRegressor` and `sk_gd.GDClassifier`.

    Call this function once in the process that converts models. Running the graph
    needs neither skl2onnx nor this package.

    The graph multiplies in double precision: the coefficients are those of raw
    data, for which large terms may cancel. The output is float64 if the input is
    float64, else float32. A classifier returns labels and probabilities, or labels
    and scores if its loss has no probabilities. For two classes, the scores are two
    columns of opposite sign. The options are ``zipmap``, ``nocl``, ``raw_scores``
    and ``output_class_labels``, as for skl2onnx's own linear classifiers.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Notes
    -----
    There is no graph for a link or for probabilities that you have written
    yourself, nor for the probabilities of ``loss="modified_huber"`` with more than
    two classes. Converting such a model raises an error. The scores of a classifier
    can always be converted, with the option ``raw_scores=True``.

    Examples
    --------
    >>> import numpy as np
    >>> import onnxruntime
    >>> import skl2onnx
    >>> from sklearn.datasets import load_iris
    >>> import sk_gd.onnx
    >>> from sk_gd import GDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GDClassifier(random_state=0).fit(X, y)
    >>> sk_gd.onnx.register()
    >>> graph = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})
    >>> session = onnxruntime.InferenceSession(graph.SerializeToString())
    >>> labels, probabilities = session.run(None, {"X": X})
    >>> bool(np.allclose(probabilities, model.predict_proba(X)))
    True
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common import shape_calculator
    except ImportError as error:
        raise ImportError(
            "sk_gd.onnx.register needs skl2onnx: in a clone of sk_gd, pip install -e '.[interop]', "
            "or pip install skl2onnx."
        ) from error

    update_registered_converter(
        GDRegressor,
        "SkGdGDRegressor",
        shape_calculator.calculate_linear_regressor_output_shapes,
        _convert_regressor,
    )
    update_registered_converter(
        GDClassifier,
        "SkGdGDClassifier",
        shape_calculator.calculate_linear_classifier_output_shapes,
        _convert_classifier,
        options={
            "zipmap": [True, False, "columns"],
            "nocl": [True, False],
            "raw_scores": [True, False],
            "output_class_labels": [False, True],
        },
    )


class _Graph:
    """Adds the nodes of one operator. A node is identified by the name of its output."""

    def __init__(self, scope, operator, container):
        from skl2onnx.common.data_types import StringTensorType, guess_proto_type
        from skl2onnx.proto import TensorProto

        self.scope = scope
        self.operator = operator
        self.container = container
        self.types = TensorProto
        self.output_types = [
            TensorProto.STRING
            if isinstance(output.type, StringTensorType)
            else guess_proto_type(output.type)
            for output in operator.outputs
        ]

    def constant(self, values):
        """Add an array of numbers, as float64 or int64, or of strings; return its name."""
        values = np.asarray(values)
        kind = {"f": self.types.DOUBLE, "i": self.types.INT64}.get(values.dtype.kind)
        content = values.ravel().tolist()
        if kind is None:
            kind, content = self.types.STRING, [text.encode() for text in content]
        name = self.scope.get_unique_variable_name("constant")
        self.container.add_initializer(name, kind, values.shape, content)
        return name

    def node(self, kind, *inputs, output=None, **attributes):
        """Add an operator of this kind, whose inputs are nodes or numbers; return its name."""
        inputs = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        output = output or self.scope.get_unique_variable_name(kind)
        name = self.scope.get_unique_operator_name(kind)
        self.container.add_node(kind, inputs, [output], name=name, **attributes)
        return output

    def predictions(self, model):
        """Add the raw predictions, of shape (n, n_outputs)."""
        check_is_fitted(model)
        coef = model.coef_.toarray() if sp.issparse(model.coef_) else np.atleast_2d(model.coef_)
        X = self.node("Cast", self.operator.inputs[0].full_name, to=self.types.DOUBLE)
        return self.node("Add", self.node("MatMul", X, coef.T), np.atleast_1d(model.intercept_))

    def write(self, node, i):
        """Make `node` the output `i` of the operator."""
        output, kind = self.operator.outputs[i].full_name, self.output_types[i]
        if kind == self.types.STRING:
            self.node("Identity", node, output=output)
        else:
            self.node("Cast", node, output=output, to=kind)


def _convert_regressor(scope, operator, container):
    graph, model = _Graph(scope, operator, container), operator.raw_operator
    loss = losses.get(model.loss, "regressor")
    response = _graph_of(loss, "response", {Loss: _identity, LogLink: _exponential})
    graph.write(response(graph, loss, graph.predictions(model)), 0)


def _convert_classifier(scope, operator, container):
    from skl2onnx.common.utils_classifier import get_label_classes

    graph, model = _Graph(scope, operator, container), operator.raw_operator
    loss = losses.get(model.loss, "classifier")
    binary = len(model.classes_) == 2
    scores = graph.predictions(model)
    if binary:
        scores = graph.node("Concat", graph.node("Neg", scores), scores, axis=1)

    labels = get_label_classes(scope, model)
    if labels.dtype.kind in "buf":  # scikit-learn has checked that they are whole numbers
        labels = labels.astype(np.int64)
    best = graph.node("ArgMax", scores, axis=1, keepdims=0)
    graph.write(graph.node("Gather", labels, best, axis=0), 0)

    raw = container.get_options(model, {"raw_scores": False})["raw_scores"]
    if hasattr(loss, "probabilities") and not raw:
        if binary:
            graphs = {LogLoss: _logistic, ModifiedHuber: _clipped}
        else:
            graphs = {LogLoss: _softmax}
        scores = _graph_of(loss, "probabilities", graphs)(graph, loss, scores)
    graph.write(scores, 1)


def _graph_of(loss, method, graphs):
    """Return the function in `graphs` whose class defines this method of the loss."""
    for definer, graph in graphs.items():
        if getattr(type(loss), method) is getattr(definer, method):
            return graph
    hint = "" if method == "response" else " Use the option raw_scores=True to get the scores."
    raise NotImplementedError(
        f"There is no ONNX graph for the {method} of {loss!r} with this number of outputs.{hint}"
    )


def _identity(graph, loss, p):
    return p


def _exponential(graph, loss, p):
    double = graph.output_types[0] == graph.types.DOUBLE
    largest = loss.response(np.array(np.inf, dtype=np.float64 if double else np.float32))
    return graph.node("Min", graph.node("Exp", p), float(largest))


def _softmax(graph, loss, scores):
    return graph.node("Softmax", scores, axis=1)


def _logistic(graph, loss, scores):
    # The scores are -p and p, so the halves differ by p. A difference from one would lose the
    # small probabilities.
    return _softmax(graph, loss, graph.node("Mul", scores, 0.5))


def _clipped(graph, loss, scores):
    shares = graph.node("Mul", graph.node("Add", scores, 1.0), 0.5)
    return graph.node("Min", graph.node("Max", shares, 0.0), 1.0)
