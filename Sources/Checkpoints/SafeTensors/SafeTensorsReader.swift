import JSON
import Kernels

/// Reads the header of a SafeTensors file, gathering what is wrong with its tensors.
struct SafeTensorsReader {
    let file: MappedFile
    private var problems: [CheckpointProblem] = []

    /// Bytes of one value.
    private static let sizes: [String: Int] = [
        "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
        "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8,
    ]

    init(file: MappedFile) { self.file = file }

    mutating func read() throws(CheckpointError) -> (
        tensors: [SafeTensor], metadata: [String: String], headerByteCount: Int
    ) {
        let (members, headerByteCount) = try readHeader()
        var names: Set<String> = []
        var tensors: [SafeTensor] = []
        var metadata: [String: String] = [:]
        for member in members {
            guard member.key != "__metadata__" else {
                for item in member.node.value.members ?? [] { metadata[item.key] = item.node.value.string }
                continue
            }
            guard names.insert(member.key).inserted else {
                report(member, "the tensor is listed twice", "convert the model again")
                continue
            }
            if let tensor = tensor(member, dataStart: headerByteCount) { tensors.append(tensor) }
        }
        tensors.sort { ($0.byteRange.lowerBound, $0.name) < ($1.byteRange.lowerBound, $1.name) }
        if problems.isEmpty { checkCoverage(tensors, dataStart: headerByteCount) }
        guard problems.isEmpty else { throw .inconsistent(path: file.path, problems) }
        return (tensors, metadata, headerByteCount)
    }

    /// The members of the header's object, and where the data begins.
    private func readHeader() throws(CheckpointError) -> (members: [JSONMember], headerByteCount: Int) {
        guard let length = file.integer(at: 0, as: UInt64.self) else {
            throw malformed(0, "the file ends before the length of its header", "it is cut short: fetch it again")
        }
        guard length >= 2, length <= SafeTensorsFile.maximumHeaderByteCount, Int(length) <= file.byteCount - 8 else {
            throw malformed(
                0,
                "a header of \(length) bytes does not fit the file of \(file.byteCount) or the limit of "
                    + "\(SafeTensorsFile.maximumHeaderByteCount)",
                "the file is cut short, damaged or not a SafeTensors file: fetch it again")
        }
        let headerByteCount = 8 + Int(length)
        let document: JSONDocument
        do throws(JSONSyntaxError) {
            // A tensor takes some 12 values; its shape may take more.
            let limits = JSONLimits(maximumDepth: 8, maximumValueCount: 20 * SafeTensorsFile.maximumTensorCount)
            document = try JSONDocument(parsing: file.bytes(in: 8..<headerByteCount) ?? [], limits: limits)
        } catch {
            throw malformed(
                8 + error.byteOffset, "not valid JSON: \(error.problem)", "the file is damaged: fetch it again")
        }
        guard let members = document.root.value.members else {
            throw malformed(
                8, "it is \(document.root.value.kind), not an object", "the file is damaged: fetch it again")
        }
        guard members.count <= SafeTensorsFile.maximumTensorCount else {
            throw malformed(
                8,
                "\(members.count) tensors are more than the \(SafeTensorsFile.maximumTensorCount) that this program "
                    + "reads", "split the model into more files")
        }
        return (members, headerByteCount)
    }

    /// The tensor that a member of the header describes; nil, having reported why, if it cannot be.
    private mutating func tensor(_ member: JSONMember, dataStart: Int) -> SafeTensor? {
        let damaged = "the file is damaged: fetch it again"
        guard (1...SafeTensorsFile.maximumNameByteCount).contains(member.key.utf8.count) else {
            report(member, "its name has \(member.key.utf8.count) bytes, not 1 to 1024", damaged)
            return nil
        }
        let fields = member.node.value
        guard let type = fields["dtype"]?.string, let shape = fields["shape"]?.elements,
            let offsets = fields["data_offsets"]?.elements, fields.members?.count == 3
        else {
            report(member, "it is not described by dtype, shape and data_offsets", damaged)
            return nil
        }
        guard let valueSize = Self.sizes[type] else {
            report(member, "its type \(type.prefix(20)) is not known", "convert the model with a current converter")
            return nil
        }
        guard shape.count <= SafeTensorsFile.maximumDimensionCount, let byteCount = byteCount(shape, valueSize) else {
            report(member, "its shape is not up to 8 whole numbers whose product is below 2^48", damaged)
            return nil
        }
        let room = file.byteCount - dataStart
        guard offsets.count == 2, let begin = offsets[0].value.wholeNumber, let end = offsets[1].value.wholeNumber,
            begin >= 0, end >= begin, end <= room
        else {
            report(
                member, "its data offsets do not lie in the \(room) bytes of data in the file",
                "the file is cut short or damaged: fetch it again")
            return nil
        }
        guard end - begin == byteCount else {
            report(member, "it has \(end - begin) bytes, but its shape and type \(type) take \(byteCount)", damaged)
            return nil
        }
        return SafeTensor(
            name: member.key, type: type, shape: shape.compactMap(\.value.wholeNumber),
            byteRange: dataStart + begin..<dataStart + end)
    }

    private func byteCount(_ shape: [JSONNode], _ valueSize: Int) -> Int? {
        var byteCount = valueSize
        for dimension in shape {
            guard let size = dimension.value.wholeNumber, size >= 0 else { return nil }
            let (product, overflows) = byteCount.multipliedReportingOverflow(by: size)
            guard !overflows, product <= 1 << 51 else { return nil }
            byteCount = product
        }
        return byteCount
    }

    /// Data of different tensors must neither overlap nor leave gaps, in which anything could hide.
    private mutating func checkCoverage(_ tensors: [SafeTensor], dataStart: Int) {
        var end = dataStart
        for (index, tensor) in tensors.enumerated() {
            let start = tensor.byteRange.lowerBound
            if start < end, index > 0 {
                report(tensor, "its data overlaps that of \(tensors[index - 1].name)")
            } else if start > end {
                report(tensor, "\(start - end) bytes before its data belong to no tensor")
            }
            end = max(end, tensor.byteRange.upperBound)
        }
        if problems.isEmpty, end < file.byteCount {
            problems.append(
                CheckpointProblem(
                    place: "data", byteOffset: end, problem: "\(file.byteCount - end) bytes belong to no tensor",
                    remedy: "the file is damaged: fetch it again"))
        }
    }

    private mutating func report(_ tensor: SafeTensor, _ problem: String) {
        problems.append(
            CheckpointProblem(
                place: tensor.name, byteOffset: tensor.byteRange.lowerBound, problem: problem,
                remedy: "the file is damaged: fetch it again"))
    }

    private mutating func report(_ member: JSONMember, _ problem: String, _ remedy: String) {
        problems.append(
            CheckpointProblem(
                place: String(member.key.prefix(200)), byteOffset: 8 + Int(member.node.start), problem: problem,
                remedy: remedy))
    }

    private func malformed(_ byteOffset: Int, _ problem: String, _ remedy: String) -> CheckpointError {
        .malformed(
            path: file.path,
            CheckpointProblem(place: "header", byteOffset: byteOffset, problem: problem, remedy: remedy))
    }
}
