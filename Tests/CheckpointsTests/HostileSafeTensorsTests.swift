import Checkpoints
import TestSupport
import Testing

/// What the reader says of a file.
private func refusal(_ bytes: [UInt8]) throws -> CheckpointError {
    let temporary = try TemporaryFile(bytes, suffix: ".safetensors")
    return try #require(throws: CheckpointError.self) { try SafeTensorsFile(path: temporary.path) }
}

/// Two tensors: `a`, F32 [2, 3], and `b`, U8 [4].
private func builder() -> SafeTensorsBuilder {
    var builder = SafeTensorsBuilder()
    builder["a"] = SafeTensorsBuilder.Tensor(name: "a", type: "F32", shape: [2, 3], data: Array(0..<24))
    builder["b"] = SafeTensorsBuilder.Tensor(name: "b", type: "U8", shape: [4], data: [9, 8, 7, 6])
    return builder
}

@Suite struct `A SafeTensors file` {
    @Test func `gives its tensors and where they are`() throws {
        let temporary = try TemporaryFile(builder().build())
        let file = try SafeTensorsFile(path: temporary.path)
        #expect(file.tensors.map(\.name) == ["a", "b"])
        let first = try #require(file.tensor(named: "a"))
        #expect(first.type == "F32")
        #expect(first.shape == [2, 3])
        #expect(first.byteRange == file.headerByteCount..<file.headerByteCount + 24)
        #expect(file.file.bytes(in: file.tensors[1].byteRange) == [9, 8, 7, 6])
        #expect(file.tensor(named: "c") == nil)
    }

    @Test func `may have spaces behind its header and list tensors in any order`() throws {
        let header =
            #"{"b": {"shape": [4], "data_offsets": [24, 28], "dtype": "U8"}, "a": {"dtype": "F32", "shape": [6],"#
            + #" "data_offsets": [0, 24]}}   "#
        let temporary = try TemporaryFile(builder().build(header: header))
        #expect(try SafeTensorsFile(path: temporary.path).tensors.map(\.name) == ["a", "b"])
    }

    @Test(arguments: [
        (#""dtype": "F32""#, #""dtype": "F99""#, "a: its type F99 is not known"),
        (#""dtype": "F32", "#, "", "a: it is not described by dtype, shape and data_offsets"),
        (#""dtype": "F32""#, #""dtype": "F32", "x": 1"#, "a: it is not described by dtype, shape and data_offsets"),
        (#"[2, 3]"#, "[2, 4]", "a: it has 24 bytes, but its shape and type F32 take 32"),
        (#"[2, 3]"#, "[-2, -3]", "a: its shape is not up to 8 whole numbers"),
        (#"[2, 3]"#, "[2.5, 3]", "a: its shape is not up to 8 whole numbers"),
        (#"[2, 3]"#, "[4294967296, 4294967296, 4294967296]", "a: its shape is not up to 8 whole numbers"),
        (#"[2, 3]"#, "[1, 1, 1, 1, 1, 1, 1, 2, 3]", "a: its shape is not up to 8 whole numbers"),
        (#"[24, 28]"#, "[24, 29]", "b: its data offsets do not lie in the 28 bytes of data"),
        (#"[24, 28]"#, "[28, 24]", "b: its data offsets do not lie in the 28 bytes of data"),
        (#"[24, 28]"#, "[24]", "b: its data offsets do not lie in the 28 bytes of data"),
        (#"[24, 28]"#, "[-4, 0]", "b: its data offsets do not lie in the 28 bytes of data"),
        (#"[24, 28]"#, "[18446744073709551612, 0]", "b: its data offsets do not lie in the 28 bytes of data"),
        (#"[24, 28]"#, "[20, 24]", "b: its data overlaps that of a"),
        (#""b": "#, #""a": "#, "a: the tensor is listed twice"),
        (#""b": "#, #""": "#, ": its name has 0 bytes, not 1 to 1024"),
    ])
    func `is refused with what is wrong with a tensor`(old: String, new: String, saying: String) throws {
        let builder = builder()
        let parts = builder.header().split(separator: old, omittingEmptySubsequences: false)
        #expect(parts.count == 2)
        let error = try refusal(builder.build(header: parts.joined(separator: new)))
        guard case .inconsistent(_, let problems) = error else { throw error }
        #expect(problems.count == 1)
        #expect(error.description.contains(saying))
    }

    @Test func `is refused with everything that is wrong with its tensors`() throws {
        let header = builder().header().replacing("[2, 3]", with: "[7]").replacing("U8", with: "U9")
        #expect(try refusal(builder().build(header: header)).problems.map(\.place) == ["a", "b"])
    }

    @Test func `must not have data that belong to no tensor`() throws {
        #expect(try refusal(builder().build() + [0]).description.contains("data: 1 bytes belong to no tensor"))
        var first = builder()
        first.tensors.reverse()
        let header = first.header().replacing(#""b": "#, with: #""__metadata__": "#)
        // Metadata are not a tensor, whatever is in them.
        #expect(try refusal(first.build(header: header)).description.contains("4 bytes before its data belong to no"))
    }

    @Test(
        arguments: [
            ([], "is empty"), ([1, 2, 3], "ends before the length of its header"),
            (
                [255, 255, 255, 255, 255, 255, 255, 255, 123, 125],
                "a header of 18446744073709551615 bytes does not fit"
            ),
            ([3, 0, 0, 0, 0, 0, 0, 0, 123, 125], "a header of 3 bytes does not fit"),
            ([0, 0, 0, 0, 0, 0, 0, 0], "a header of 0 bytes does not fit"),
            ([2, 0, 0, 0, 0, 0, 0, 0, 91, 93], "is an array, not an object"),
            ([2, 0, 0, 0, 0, 0, 0, 0, 123, 123], "not valid JSON"),
        ] as [([UInt8], String)])
    func `is refused if its header is not there`(bytes: [UInt8], saying: String) throws {
        #expect(try refusal(bytes).description.contains(saying))
    }

    @Test func `is refused if its header is nested absurdly or too long`() throws {
        let deep = #"{"a": "# + String(repeating: "[", count: 200_000)
        #expect(try refusal(builder().build(header: deep)).description.contains("nested values"))
        let many = "{" + (0..<65_537).map { "\"\($0)\":0" }.joined(separator: ",") + "}"
        #expect(try refusal(builder().build(header: many)).description.contains("65537 tensors are more than"))
    }

    @Test func `is refused or read within its bounds, whatever the damage`() throws {
        let whole = builder().build()
        let temporary = try TemporaryFile(whole)
        var random = SeededGenerator(seed: 31)
        var refused = 0
        for _ in 0..<5000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.remove(at: position)
                case 1: bytes.removeLast(Int.random(in: 0...bytes.count / 8, using: &random))
                case 2: bytes[position] = Array(#"{}[]":,0-9e"#.utf8).randomElement(using: &random) ?? 0
                default: bytes[position] = UInt8.random(in: 0...255, using: &random)
                }
            }
            try temporary.overwrite(bytes)
            do {
                let file = try SafeTensorsFile(path: temporary.path)
                #expect(
                    file.tensors.allSatisfy {
                        $0.byteRange.lowerBound >= file.headerByteCount && $0.byteRange.upperBound <= bytes.count
                    })
            } catch {
                #expect(error.description.hasPrefix(temporary.path))
                refused += 1
            }
        }
        #expect(refused > 1000 && refused < 5000)
    }
}
