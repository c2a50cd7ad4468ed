import Checkpoints

extension Vocabulary {
    /// The vocabulary in a GGUF file's metadata; the file need not hold a model. Throws `.unsupported` for other
    /// tokenisers than byte-level byte-pair encoding with a known pre-tokeniser.
    public init(gguf: GGUFFile) throws(TokenizerError) {
        try self.init(metadata: gguf.metadata)
    }

    /// The vocabulary in a GGUF file's metadata.
    public init(metadata: Metadata) throws(TokenizerError) {
        let reader = VocabularyReader(metadata: metadata)
        let preTokenizer = try reader.preTokenizer()
        let tokens = try reader.strings("tokenizer.ggml.tokens")
        // A token's index must fit an Int32, the type of token ids.
        guard (1...16_777_216).contains(tokens.count) else {
            throw reader.malformed("tokenizer.ggml.tokens", "\(tokens.count) tokens are not from 1 to 16777216")
        }
        self.init(
            path: metadata.path, tokens: tokens, kinds: try reader.kinds(count: tokens.count),
            merges: try reader.strings("tokenizer.ggml.merges"), preTokenizer: preTokenizer)
        beginningOfSequence = try reader.token("tokenizer.ggml.bos_token_id", below: tokens.count)
        endOfSequence = try reader.token("tokenizer.ggml.eos_token_id", below: tokens.count)
        for name in ["eot", "eom", "fim_pad", "fim_rep", "fim_sep"] {
            if let token = try reader.token("tokenizer.ggml.\(name)_token_id", below: tokens.count) {
                furtherEnds.append(token)
            }
        }
        let adds = try reader.read { metadata throws(CheckpointError) in
            try metadata.boolean("tokenizer.ggml.add_bos_token")
        }
        addsBeginningOfSequence = adds ?? preTokenizer.addsBeginningOfSequence
    }
}

private struct VocabularyReader {
    let metadata: Metadata

    func preTokenizer() throws(TokenizerError) -> PreTokenizer {
        let modelKey = "tokenizer.ggml.model"
        let nameKey = "tokenizer.ggml.pre"
        guard let model = try read({ metadata throws(CheckpointError) in try metadata.string(modelKey) }) else {
            throw malformed(modelKey, "the key is missing")
        }
        guard model == "gpt2" else {
            let kind = ["llama": " (SentencePiece)", "bert": " (WordPiece)", "t5": " (Unigram)"][model] ?? ""
            throw unsupported(
                modelKey, "tokenizer model \(model)\(kind) is not supported; supported: gpt2 (byte-level BPE)")
        }
        guard let name = try read({ metadata throws(CheckpointError) in try metadata.string(nameKey) }) else {
            throw malformed(nameKey, "the key is missing")
        }
        guard let preTokenizer = PreTokenizer(name: name) else {
            throw unsupported(
                nameKey,
                "pre-tokeniser \(name) is not supported; supported: \(PreTokenizer.names.joined(separator: ", "))")
        }
        return preTokenizer
    }

    func strings(_ key: String) throws(TokenizerError) -> ByteStrings {
        let array = try read { metadata throws(CheckpointError) in try metadata.array(key) }
        guard let array else { throw malformed(key, "the key is missing") }
        guard let strings = array.strings else {
            throw malformed(key, "is an array of \(array.elementType), not STRING")
        }
        let packed = strings.packedBytes()
        return ByteStrings(bytes: packed.bytes, offsets: packed.offsets)
    }

    func kinds(count: Int) throws(TokenizerError) -> [Vocabulary.TokenKind] {
        let key = "tokenizer.ggml.token_type"
        guard let array = try read({ metadata throws(CheckpointError) in try metadata.array(key) }) else {
            return Array(repeating: .normal, count: count)
        }
        guard array.count == count else {
            throw malformed(key, "has \(array.count) entries for \(count) tokens")
        }
        guard let integers = array.integers() else {
            throw malformed(key, "is an array of \(array.elementType), not of integers")
        }
        return integers.map { UInt8(exactly: $0).flatMap(Vocabulary.TokenKind.init) ?? .undefined }
    }

    func token(_ key: String, below count: Int) throws(TokenizerError) -> Int32? {
        guard let id = try read({ metadata throws(CheckpointError) in try metadata.integer(key) }) else { return nil }
        guard (0..<count).contains(id) else {
            throw malformed(key, "token \(id) is not one of the \(count) tokens")
        }
        return Int32(id)
    }

    func read<Value>(
        _ body: (Metadata) throws(CheckpointError) -> Value
    ) throws(TokenizerError) -> Value {
        do { return try body(metadata) } catch { throw .checkpoint(error) }
    }

    func malformed(_ key: String, _ problem: String) -> TokenizerError {
        .malformed(
            path: metadata.path,
            CheckpointProblem(place: key, problem: problem, remedy: "convert the model again with a current converter"))
    }

    func unsupported(_ key: String, _ problem: String) -> TokenizerError {
        .unsupported(
            path: metadata.path,
            CheckpointProblem(place: key, problem: problem, remedy: "choose a model with one of these"))
    }
}
