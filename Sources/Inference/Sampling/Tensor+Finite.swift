import Kernels

extension Tensor {
    /// Checks a row of logits, of which `count` count.
    ///
    /// - Throws: `InferenceError.notFinite` if one of them is infinite or not a number. Whatever were chosen from them
    ///   would mean nothing.
    func checkFinite(row: Int, count: Int) throws(InferenceError) {
        guard let index = firstNotFinite(row: row, count: count) else { return }
        throw .notFinite(
            "the logit of token \(index) is \(self[row, index]); the model's weights are damaged, or its activations "
                + "are beyond float32: check the model file, or convert it anew")
    }
}
