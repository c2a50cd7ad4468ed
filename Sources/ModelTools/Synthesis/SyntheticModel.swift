import Kernels

/// A model of a known shape with random weights: as large and as quick as the real one, and with nothing to say.
public struct SyntheticModel: Sendable {
    public var shape: ModelShape
    /// The same seed gives the same weights.
    public var seed: UInt64

    /// - Throws: `.request` for a vocabulary that no tokeniser can be made for, or for shapes that no kernel has.
    public init(shape: ModelShape, seed: UInt64) throws(ModelToolError) {
        guard ModelShape.vocabularySizes.contains(shape.vocabularySize) else {
            let sizes = ModelShape.vocabularySizes
            throw .request(
                "a vocabulary of \(shape.vocabularySize): use \(sizes.lowerBound) to \(sizes.upperBound) tokens")
        }
        guard (1...1024).contains(shape.layerCount) else {
            throw .request("\(shape.layerCount) layers: use 1 to 1024")
        }
        let widths = [
            shape.hiddenSize, shape.headCount * shape.headDimension, shape.keyValueHeadCount * shape.headDimension,
            shape.feedForwardSize,
        ]
        guard widths.allSatisfy({ $0 > 0 && $0 % 32 == 0 && $0 <= 1 << 18 }) else {
            throw .request("\(shape.name): widths \(widths) are not all multiples of 32 up to 262144")
        }
        self.shape = shape
        self.seed = seed
    }

    /// Bytes of all files, but for small ones.
    public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

    /// Bytes that are made at a time.
    private static let pieceByteCount = 1 << 20

    /// Writes the folder as Hugging Face publishes such models. It appears whole or not at all. Cancelling the task ends
    /// the work.
    public func write(
        to path: String, progress: (WorkProgress) -> Void = { _ in }
    ) async throws(ModelToolError) {
        let tokenizer = SyntheticTokenizer(vocabularySize: shape.vocabularySize)
        let tokenizerText = tokenizer.json
        var folder = try OutputFolder(path: path, byteCount: byteCount + tokenizerText.count + 1 << 20)
        try folder.write(Array(configuration(tokenizer).utf8), to: "config.json")
        try folder.write(tokenizerText, to: "tokenizer.json")
        try folder.write(tokenizer.configuration, to: "tokenizer_config.json")
        try folder.write(Array(SyntheticTokenizer.chatTemplate.utf8), to: "chat_template.jinja")
        try await writeWeights(in: folder, progress)
        try folder.finish()
    }

    private func writeWeights(
        in folder: borrowing OutputFolder, _ progress: (WorkProgress) -> Void
    ) async throws(ModelToolError) {
        let tensors = tensors
        let header = SafeTensorsHeader(
            entries: tensors.map { .init(name: $0.name, type: $0.type, shape: $0.shape, byteCount: $0.byteCount) },
            metadata: [("format", "pt"), ("synthetic_seed", "\(seed)")])
        var file = try folder.makeFile("model.safetensors")
        var done = 0
        var words = [UInt64](repeating: 0, count: Self.pieceByteCount / 8)
        do {
            try file.write(header.bytes(alignment: 64))
            for (index, tensor) in tensors.enumerated() {
                var random = WordGenerator(seed: seed, stream: UInt64(index))
                var left = tensor.byteCount
                while left > 0 {
                    guard !Task.isCancelled else { throw ModelToolError.interrupted }
                    // On a single processor, whoever is to cancel this must get a turn.
                    await Task.yield()
                    let count = min(left, Self.pieceByteCount)
                    tensor.fill(&words, &random)
                    try file.write(words, byteCount: count)
                    left -= count
                    done += count
                    progress(
                        WorkProgress(what: tensor.name, doneByteCount: done, totalByteCount: header.dataByteCount))
                }
            }
            try file.synchronise()
        } catch let error as ModelToolError {
            throw error
        } catch {
            throw .output("\(error)")
        }
    }

    /// In the order of computation, so that what a worker holds lies together. A tensor's place in the list is the
    /// stream of its random numbers.
    private var tensors: [SyntheticTensor] {
        let (hidden, forward) = (shape.hiddenSize, shape.feedForwardSize)
        let query = shape.headCount * shape.headDimension
        let keyValue = shape.keyValueHeadCount * shape.headDimension
        var list = [
            SyntheticTensor(
                name: "model.embed_tokens.weight", shape: [shape.vocabularySize, hidden], contents: .embedding)
        ]
        func norm(_ name: String, _ size: Int) {
            list.append(SyntheticTensor(name: name + ".weight", shape: [size], contents: .norm))
        }
        // Inputs of unit variance, and weights of which half are not zero: products have the variance columns ⁄ 2 · scale².
        // Those that go into the residual stream are kept so small that it does not grow with the layers.
        func matrix(_ name: String, rows: Int, columns: Int, share: Double = 1) {
            let scale = (2 * share / Double(columns)).squareRoot()
            let stored = Float(shape.family == .bitNet ? scale : 1 / scale)
            list.append(
                SyntheticTensor(name: name + ".weight", shape: [rows / 4, columns], contents: .packedTernary))
            list.append(SyntheticTensor(name: name + ".weight_scale", shape: [1], contents: .scale(stored)))
        }
        let share = 1 / Double(2 * shape.layerCount)
        for layer in 0..<shape.layerCount {
            let prefix = "model.layers.\(layer)."
            norm(prefix + "input_layernorm", hidden)
            matrix(prefix + "self_attn.q_proj", rows: query, columns: hidden)
            matrix(prefix + "self_attn.k_proj", rows: keyValue, columns: hidden)
            matrix(prefix + "self_attn.v_proj", rows: keyValue, columns: hidden)
            if shape.family == .bitNet { norm(prefix + "self_attn.attn_sub_norm", query) }
            matrix(prefix + "self_attn.o_proj", rows: hidden, columns: query, share: share)
            norm(prefix + "post_attention_layernorm", hidden)
            matrix(prefix + "mlp.gate_proj", rows: forward, columns: hidden)
            matrix(prefix + "mlp.up_proj", rows: forward, columns: hidden)
            if shape.family == .bitNet { norm(prefix + "mlp.ffn_sub_norm", forward) }
            matrix(prefix + "mlp.down_proj", rows: hidden, columns: forward, share: share)
        }
        norm("model.norm", hidden)
        if !shape.tiesHead {
            list.append(
                SyntheticTensor(name: "lm_head.weight", shape: [shape.vocabularySize, hidden], contents: .embedding))
        }
        return list
    }

    private func configuration(_ tokenizer: SyntheticTokenizer) -> String {
        let isBitNet = shape.family == .bitNet
        return """
            {
              "architectures": ["\(isBitNet ? "BitNetForCausalLM" : "LlamaForCausalLM")"],
              "model_type": "\(isBitNet ? "bitnet" : "llama")",
              "hidden_act": "\(isBitNet ? "relu2" : "silu")",
              "hidden_size": \(shape.hiddenSize),
              "intermediate_size": \(shape.feedForwardSize),
              "num_hidden_layers": \(shape.layerCount),
              "num_attention_heads": \(shape.headCount),
              "num_key_value_heads": \(shape.keyValueHeadCount),
              "head_dim": \(shape.headDimension),
              "vocab_size": \(shape.vocabularySize),
              "max_position_embeddings": \(shape.contextLength),
              "rms_norm_eps": \(shape.normEpsilon),
              "rope_theta": \(shape.ropeBase),
              "tie_word_embeddings": \(shape.tiesHead),
              "bos_token_id": \(tokenizer.beginID),
              "eos_token_id": \(tokenizer.endID),
              "dtype": "bfloat16",
              "quantization_config": {
                "quant_method": "bitnet",
                "linear_class": "\(isBitNet ? "autobitlinear" : "bitlinear")",
                "quantization_mode": "offline",
                "modules_to_not_convert": ["lm_head"]
              }
            }

            """
    }
}
