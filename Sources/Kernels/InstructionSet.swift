import CKernels
import Glibc

/// The instruction set that kernels run on. All give the same bits.
public enum InstructionSet: String, CaseIterable, Comparable, Sendable {
    /// C without vector intrinsics.
    case portable
    /// AVX2 with FMA and F16C: Zen 1 and later.
    case avx2
    /// AVX-512 F, BW, DQ, VL and VNNI: Zen 4 and later.
    case avx512

    /// The environment variable that forces one.
    public static let environmentVariable = "RYZ_ISA"

    /// The best one of this processor.
    public static var best: InstructionSet {
        switch ryz_isa_detect() {
        case RYZ_ISA_AVX512: .avx512
        case RYZ_ISA_AVX2: .avx2
        default: .portable
        }
    }

    /// The one that `RYZ_ISA` forces, else the best.
    public static func selected() throws(KernelError) -> InstructionSet {
        try selected(forcing: getenv(environmentVariable).map { String(cString: $0) })
    }

    /// The one with the name `value`, or the best if there is none.
    static func selected(forcing value: String?) throws(KernelError) -> InstructionSet {
        guard let value, !value.isEmpty else { return best }
        guard let forced = InstructionSet(rawValue: value) else {
            throw KernelError.invalidEnvironment(
                "\(environmentVariable)=\(value): not an instruction set; use portable, avx2 or avx512, or unset it")
        }
        guard forced <= best else {
            throw KernelError.invalidEnvironment(
                "\(environmentVariable)=\(value): this processor has only \(best.rawValue); unset it")
        }
        return forced
    }

    public static func < (left: InstructionSet, right: InstructionSet) -> Bool {
        left.code.rawValue < right.code.rawValue
    }

    var code: ryz_isa {
        switch self {
        case .portable: RYZ_ISA_PORTABLE
        case .avx2: RYZ_ISA_AVX2
        case .avx512: RYZ_ISA_AVX512
        }
    }
}

/// What can go wrong before a kernel runs.
public enum KernelError: Error, Equatable, Sendable, CustomStringConvertible {
    /// An environment variable has a value that makes no sense here.
    case invalidEnvironment(String)
    /// The system did not give `byteCount` bytes for `purpose`.
    case outOfMemory(purpose: String, byteCount: Int, reason: String)
    /// The system did not give a thread.
    case threads(count: Int, reason: String)
    /// A shape that no kernel has, or a range outside a file.
    case shape(String)

    public var description: String {
        switch self {
        case .invalidEnvironment(let message): message
        case .outOfMemory(let purpose, let byteCount, let reason):
            "\(purpose): no memory for \(byteCount) bytes (\(reason)); use fewer layers, a shorter context or more workers"
        case .threads(let count, let reason): "cannot start \(count) threads: \(reason); lower --threads"
        case .shape(let message): message
        }
    }
}
