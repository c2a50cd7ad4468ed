import JSON

extension PreTokenizer {
    private static let gpt2Pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    private static let llama3Pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"#
        + #"|\s+(?!\S)|\s+"#
    private static let qwen2Pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"#
        + #"|\s+(?!\S)|\s+"#

    /// What a `tokenizer.json` can say for each, for messages.
    static let supportedForms =
        "ByteLevel with use_regex, alone or after single Digits, and the Split patterns of GPT-2, "
        + "Llama 3 and Qwen 2 before ByteLevel"

    /// The one that the `pre_tokenizer` of a `tokenizer.json` describes; nil, with what is in the way, for any other.
    static func described(by value: JSONValue?) -> (preTokenizer: PreTokenizer?, problem: String) {
        guard let value else { return (nil, "there is none") }
        let steps = value["type"]?.string == "Sequence" ? value["pretokenizers"]?.elements?.map(\.value) ?? [] : [value]
        let types = steps.map { $0["type"]?.string ?? "without a name" }
        let summary = types.joined(separator: ", ")
        guard let last = steps.last, types.last == "ByteLevel", steps.count <= 2 else { return (nil, summary) }
        // GPT-2's own default, which the newer models turn off.
        guard last["add_prefix_space"]?.boolean == false else { return (nil, "ByteLevel with add_prefix_space") }
        let usesPattern = last["use_regex"]?.boolean ?? true
        if steps.count == 1 {
            return usesPattern ? (.gpt2, "") : (nil, "ByteLevel without use_regex")
        }
        let first = steps[0]
        switch (types[0], usesPattern) {
        case ("Digits", true) where first["individual_digits"]?.boolean == true: return (.smollm, "")
        case ("Split", false):
            guard first["behavior"]?.string == "Isolated", first["invert"]?.boolean != true else {
                return (nil, "Split that is not Isolated")
            }
            let pattern = first["pattern"]?["Regex"]?.string
            switch pattern {
            case gpt2Pattern: return (.gpt2, "")
            case llama3Pattern: return (.llama3, "")
            case qwen2Pattern: return (.qwen2, "")
            default: return (nil, "Split by \(pattern.map { String($0.prefix(200)) } ?? "a string")")
            }
        default: return (nil, summary)
        }
    }
}
