import Checkpoints
import JSON

extension Vocabulary {
    /// The vocabulary in a folder's `tokenizer.json`, with the special tokens that the files beside it name. Throws
    /// `.unsupported` for other tokenisers than byte-level byte-pair encoding with a known pre-tokeniser.
    ///
    /// Source: the serialisation of Hugging Face's tokenizers, `tokenizers/src/tokenizer/serialization.rs`.
    public init(folder: CheckpointFolder) throws(TokenizerError) {
        let document = try FolderVocabulary(folder: folder)
        try document.refuseUnknownParts()
        var vocabulary = Vocabulary(
            path: document.path, tokens: ByteStrings(), kinds: [], merges: try document.merges(),
            preTokenizer: try document.preTokenizer())
        (vocabulary.tokens, vocabulary.kinds) = try document.tokens()
        vocabulary.ignoresMerges = document.model["ignore_merges"]?.boolean ?? false
        vocabulary.normalizesToNFC = try document.normalizesToNFC()
        let frame = try document.frame(below: vocabulary.tokens.count)
        let named = try lifting { () throws(CheckpointError) in try TokenizerConfiguration(folder: folder) }
        let begin = try document.token(named.beginningOfSequence, in: vocabulary)
        let end = try document.token(named.endOfSequence, in: vocabulary)
        vocabulary.beginningOfSequence = frame.first ?? begin
        vocabulary.addsBeginningOfSequence = frame.first != nil
        vocabulary.addsEndOfSequence = frame.last != nil
        vocabulary.furtherEnds = try document.endsOfGeneration(below: vocabulary.tokens.count)
        vocabulary.endOfSequence = end ?? frame.last ?? vocabulary.furtherEnds.first
        self = vocabulary
    }
}

/// Runs `body`, lifting its error.
private func lifting<Value>(_ body: () throws(CheckpointError) -> Value) throws(TokenizerError) -> Value {
    do { return try body() } catch { throw .checkpoint(error) }
}

/// A `tokenizer.json` and what belongs to it.
private struct FolderVocabulary {
    let path: String
    let model: JSONValue
    private let root: JSONValue
    private let folder: CheckpointFolder

    private static let fileName = "tokenizer.json"
    private static let maximumTokenCount = 16_777_216
    /// Ids that no token has, such as those kept for padding.
    private static let maximumGapCount = 65_536

    init(folder: CheckpointFolder) throws(TokenizerError) {
        self.folder = folder
        path = folder.path + "/" + Self.fileName
        // Merges written as pairs take three values each.
        let limits = JSONLimits(maximumDepth: 32, maximumValueCount: 8_000_000)
        let document = try lifting { () throws(CheckpointError) in try folder.json(Self.fileName, limits: limits) }
        guard let document else {
            throw .unsupported(
                path: folder.path,
                CheckpointProblem(
                    place: Self.fileName, problem: "the folder has no such file",
                    remedy: "fetch it, or convert the tokeniser with transformers; tokenizer.model is not read"))
        }
        root = document.root.value
        model = root["model"] ?? .null
    }

    /// Parts that change the ids and that this program does not compute.
    func refuseUnknownParts() throws(TokenizerError) {
        // The oldest files leave the type out.
        let type = model["type"]?.string ?? (model["merges"] == nil ? "without a type" : "BPE")
        guard type == "BPE" else {
            throw unsupported("model.type", "tokenizer model \(type) is not supported; supported: BPE (byte-level)")
        }
        if model["byte_fallback"]?.boolean == true {
            throw unsupported(
                "model.byte_fallback", "a vocabulary of SentencePiece is not supported; supported: byte-level BPE")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] where model[key]?.string?.isEmpty == false {
            throw unsupported("model." + key, "marks at parts of words are not supported")
        }
        if let dropout = model["dropout"]?.double, dropout > 0 {
            throw unsupported("model.dropout", "leaving merges out at random is not supported")
        }
    }

    func preTokenizer() throws(TokenizerError) -> PreTokenizer {
        let found = PreTokenizer.described(by: root["pre_tokenizer"])
        guard let preTokenizer = found.preTokenizer else {
            throw unsupported(
                "pre_tokenizer", "\(found.problem) is not supported; supported: \(PreTokenizer.supportedForms)")
        }
        return preTokenizer
    }

    func normalizesToNFC() throws(TokenizerError) -> Bool {
        guard let normalizer = root["normalizer"] else { return false }
        let steps =
            normalizer["type"]?.string == "Sequence"
            ? normalizer["normalizers"]?.elements?.map(\.value) ?? [] : [normalizer]
        for step in steps where step["type"]?.string != "NFC" {
            throw unsupported(
                "normalizer", "\(step["type"]?.string ?? "one without a type") is not supported; supported: NFC")
        }
        return !steps.isEmpty
    }

    /// Every token's text and kind, by id.
    func tokens() throws(TokenizerError) -> (ByteStrings, [Vocabulary.TokenKind]) {
        guard let members = model["vocab"]?.members else {
            throw malformed("model.vocab", "the key is missing or no object")
        }
        let added = root["added_tokens"]?.elements ?? []
        let limit = members.count + added.count + Self.maximumGapCount
        var texts: [String?] = []
        var kinds: [Vocabulary.TokenKind] = []
        func place(_ text: String, at id: Int?, _ kind: Vocabulary.TokenKind, _ key: String) throws(TokenizerError) {
            guard let id, id >= 0, id < min(limit, Self.maximumTokenCount) else {
                throw malformed(key, "its id is not a whole number below \(min(limit, Self.maximumTokenCount))")
            }
            if id >= texts.count {
                texts += Array(repeating: nil, count: id + 1 - texts.count)
                kinds += Array(repeating: .unused, count: id + 1 - kinds.count)
            }
            if let other = texts[id], other != text || kind == .normal {
                throw malformed(key, "id \(id) is that of \(other.prefix(100)), too")
            }
            texts[id] = text
            kinds[id] = kind
        }
        for member in members {
            try place(member.key, at: member.node.value.wholeNumber, .normal, "model.vocab[\(member.key.prefix(100))]")
        }
        for (index, element) in added.enumerated() {
            let key = "added_tokens[\(index)]"
            guard let text = element.value["content"]?.string, !text.isEmpty else {
                throw malformed(key, "it has no content")
            }
            for trait in ["single_word", "lstrip", "rstrip"] where element.value[trait]?.boolean == true {
                throw unsupported("\(key).\(trait)", "a token that depends on what is around it is not supported")
            }
            let isSpecial = element.value["special"]?.boolean ?? false
            try place(text, at: element.value["id"]?.wholeNumber, isSpecial ? .control : .userDefined, key)
        }
        guard !texts.isEmpty else { throw malformed("model.vocab", "there are no tokens") }
        return (ByteStrings(texts.lazy.map { $0 ?? "" }), kinds)
    }

    /// Merges as pairs of texts with a space between; files have them so, or as arrays of two.
    func merges() throws(TokenizerError) -> ByteStrings {
        guard let elements = model["merges"]?.elements else {
            throw malformed("model.merges", "the key is missing or no array")
        }
        var merges = ByteStrings()
        var pair: [UInt8] = []
        for (rank, element) in elements.enumerated() {
            pair.removeAll(keepingCapacity: true)
            switch element.value {
            case .string(let text): pair += text.utf8
            case .array(let parts):
                guard parts.count == 2, let left = parts[0].value.string, let right = parts[1].value.string else {
                    break
                }
                pair += left.utf8
                pair.append(0x20)
                pair += right.utf8
            default: break
            }
            // The byte-level alphabet has no space of its own.
            guard pair.count(where: { $0 == 0x20 }) == 1, pair.first != 0x20, pair.last != 0x20 else {
                throw malformed("model.merges[\(rank)]", "it is not a pair")
            }
            merges.append(pair)
        }
        return merges
    }

    /// The special tokens that are put in front of a text and behind it.
    func frame(below count: Int) throws(TokenizerError) -> (first: Int32?, last: Int32?) {
        guard let processor = root["post_processor"] else { return (nil, nil) }
        let steps =
            processor["type"]?.string == "Sequence"
            ? processor["processors"]?.elements?.map(\.value) ?? [] : [processor]
        var frame: (first: Int32?, last: Int32?) = (nil, nil)
        for step in steps {
            switch step["type"]?.string {
            // This one only changes what part of the text a token is said to come from.
            case "ByteLevel": continue
            case "TemplateProcessing": frame = try self.frame(template: step, below: count)
            case let type:
                throw unsupported(
                    "post_processor",
                    "\(type ?? "one without a type") is not supported; supported: "
                        + "TemplateProcessing, ByteLevel")
            }
        }
        return frame
    }

    private func frame(
        template: JSONValue, below count: Int
    ) throws(TokenizerError) -> (first: Int32?, last: Int32?) {
        var frame: (first: Int32?, last: Int32?) = (nil, nil)
        var isBehind = false
        for element in template["single"]?.elements ?? [] {
            if element.value["Sequence"] != nil {
                isBehind = true
                continue
            }
            guard let name = element.value["SpecialToken"]?["id"]?.string,
                let ids = template["special_tokens"]?[name]?["ids"]?.elements, ids.count == 1,
                let id = ids[0].value.wholeNumber, (0..<count).contains(id)
            else { throw malformed("post_processor.single", "it names a special token that has no id") }
            guard (isBehind ? frame.last : frame.first) == nil else {
                throw unsupported("post_processor.single", "several tokens in a row are not supported")
            }
            if isBehind { frame.last = Int32(id) } else { frame.first = Int32(id) }
        }
        return frame
    }

    /// The ids that `config.json` and `generation_config.json` give for `eos_token_id`: a number or several.
    func endsOfGeneration(below count: Int) throws(TokenizerError) -> [Int32] {
        var ends: [Int32] = []
        for name in ["config.json", "generation_config.json"] {
            let document = try lifting { () throws(CheckpointError) in try folder.json(name) }
            guard let value = document?.root.value["eos_token_id"] else { continue }
            for id in value.elements?.map(\.value) ?? [value] {
                guard let token = id.wholeNumber, (0..<count).contains(token) else {
                    throw .malformed(
                        path: folder.path + "/" + name,
                        CheckpointProblem(
                            place: "eos_token_id", problem: "it is not one of the \(count) tokens",
                            remedy: "fetch the model's files again"))
                }
                if !ends.contains(Int32(token)) { ends.append(Int32(token)) }
            }
        }
        return ends
    }

    /// The token that is written `text`; nil if no text is given.
    func token(_ text: String?, in vocabulary: Vocabulary) throws(TokenizerError) -> Int32? {
        guard let text else { return nil }
        let bytes = Array(text.utf8)
        for id in (0..<vocabulary.tokens.count).reversed()
        where vocabulary.kinds[id] != .unused && vocabulary.tokens[id].elementsEqual(bytes) {
            return Int32(id)
        }
        throw .malformed(
            path: folder.path + "/tokenizer_config.json",
            CheckpointProblem(
                place: "bos_token or eos_token", problem: "there is no token \(text.prefix(100)) in tokenizer.json",
                remedy: "fetch the model's files again"))
    }

    private func malformed(_ place: String, _ problem: String) -> TokenizerError {
        .malformed(path: path, CheckpointProblem(place: place, problem: problem, remedy: "fetch the file again"))
    }

    private func unsupported(_ place: String, _ problem: String) -> TokenizerError {
        .unsupported(
            path: path,
            CheckpointProblem(
                place: place, problem: problem, remedy: "choose a model with a tokeniser that is"))
    }
}
