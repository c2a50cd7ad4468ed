/// Which tokens end generation. Files name some by id; the rest are known by their text, as llama.cpp does it.
enum EndOfGeneration {
    private static let names: Set<String> = [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<end_of_turn>", "<|endoftext|>", "</s>",
        "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>",
        "<｜end▁of▁sentence｜>",
        // A model that goes on to the next file or repository has finished, too.
        "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<|file_sep|>",
    ]

    static func tokens(of vocabulary: Vocabulary) -> Set<Int32> {
        var tokens = Set(vocabulary.furtherEnds)
        if let end = vocabulary.endOfSequence { tokens.insert(end) }
        let longest = names.map(\.utf8.count).max() ?? 0
        for id in 0..<vocabulary.tokens.count {
            let text = vocabulary.tokens[id]
            guard text.count <= longest, let last = text.last, last == UInt8(ascii: ">") || last == UInt8(ascii: "]")
            else { continue }
            if names.contains(String(decoding: text, as: UTF8.self)) { tokens.insert(Int32(id)) }
        }
        return tokens
    }
}
