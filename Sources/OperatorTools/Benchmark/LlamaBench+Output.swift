import JSON

extension LlamaBench {
    /// One test of a run, of those fields that all versions print.
    struct Test: Equatable {
        /// `n_prompt`
        var promptCount: Int
        /// `n_gen`
        var generatedCount: Int
        /// `avg_ts`
        var tokensPerSecond: Double
    }

    /// The tests in what `llama-bench -o json` prints: an array of objects. Some versions print lines before it.
    static func tests(in output: [UInt8]) throws(InputError) -> [Test] {
        let lines = output.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard let first = lines.firstIndex(where: { $0.first == UInt8(ascii: "[") }) else {
            throw .unexpected(path: "standard output", problem: "there is no JSON array")
        }
        let elements: [JSONNode]
        do throws(JSONSyntaxError) {
            let limits = JSONLimits(maximumDepth: 8, maximumValueCount: 10_000)
            let bytes = Array(lines[first...].joined(separator: [UInt8(ascii: "\n")]))
            elements = try JSONDocument(parsing: bytes, limits: limits).root.value.elements ?? []
        } catch {
            throw .unexpected(path: "standard output", problem: "\(error)")
        }
        var tests: [Test] = []
        for element in elements {
            guard let promptCount = element.value["n_prompt"]?.wholeNumber,
                let generatedCount = element.value["n_gen"]?.wholeNumber,
                let tokensPerSecond = element.value["avg_ts"]?.double
            else { throw .unexpected(path: "standard output", problem: "a test lacks n_prompt, n_gen or avg_ts") }
            tests.append(
                Test(promptCount: promptCount, generatedCount: generatedCount, tokensPerSecond: tokensPerSecond))
        }
        return tests
    }
}
