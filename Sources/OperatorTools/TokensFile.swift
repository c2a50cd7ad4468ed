import Templates

/// A JSON file of token ids: an array, or an object with an array `ids`, such as `ryz tokenize --json` writes.
public enum TokensFile {
    /// - Throws: `InputError` naming the first mistake. Whether ids are in a vocabulary is not checked.
    public static func read(_ path: String) throws(InputError) -> [Int32] {
        try parse(try InputFile.bytes(path), path: path)
    }

    static func parse(_ bytes: [UInt8], path: String) throws(InputError) -> [Int32] {
        let document: TemplateValue
        do { document = try TemplateValue(json: bytes, maximumByteCount: InputFile.maximumByteCount) } catch {
            throw .unexpected(path: path, problem: error.description)
        }
        let list: TemplateValue? =
            if case .mapping(let mapping) = document { mapping["ids"] } else { document }
        guard case .list(let values)? = list else {
            throw .unexpected(path: path, problem: "neither an array of token ids nor an object with an array 'ids'")
        }
        var ids: [Int32] = []
        ids.reserveCapacity(values.elements.count)
        for (index, value) in values.elements.enumerated() {
            guard case .integer(let number) = value, let id = Int32(exactly: number), id >= 0 else {
                throw .unexpected(path: path, problem: "element \(index) is not a token id from 0 to \(Int32.max)")
            }
            ids.append(id)
        }
        guard !ids.isEmpty else { throw .unexpected(path: path, problem: "there are no token ids; give at least one") }
        return ids
    }
}
