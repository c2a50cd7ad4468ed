/// How text is cut into words before byte pairs are merged.
///
/// Each is defined by a regular expression that the model's tokeniser was trained with; here they are scanners, in
/// `PreTokenizer+Scanning.swift`.
public enum PreTokenizer: Sendable, Equatable, CaseIterable {
    /// GPT-2: `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    case gpt2
    /// SmolLM: every `\p{N}` is a word of its own; what lies between is cut as for GPT-2.
    case smollm
    /// Llama 3: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|`
    /// `\s+(?!\S)|\s+`
    case llama3
    /// Qwen 2: as Llama 3, with single digits, `\p{N}`.
    case qwen2

    /// The names by which `tokenizer.ggml.pre` calls them.
    public static let names = ["gpt-2", "llama-bpe", "llama-v3", "llama3", "qwen2", "smollm", "falcon3"]

    /// Nil for a name that is not among `names`.
    public init?(name: String) {
        switch name {
        case "gpt-2": self = .gpt2
        case "smollm": self = .smollm
        case "llama-bpe", "llama-v3", "llama3", "falcon3": self = .llama3
        case "qwen2": self = .qwen2
        default: return nil
        }
    }

    /// Whether a word that is a token as a whole becomes that token, whatever the merges say, unless the file tells.
    var ignoresMerges: Bool { self == .llama3 }

    /// Whether sequences begin with a special token if the file does not say so.
    var addsBeginningOfSequence: Bool { self == .llama3 }
}
