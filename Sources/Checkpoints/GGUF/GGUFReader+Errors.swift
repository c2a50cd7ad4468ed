import Kernels

extension GGUFReader {
    func malformed(_ place: String, at byteOffset: Int?, _ problem: String, _ remedy: String) -> CheckpointError {
        .malformed(
            path: file.path,
            CheckpointProblem(place: place, byteOffset: byteOffset, problem: problem, remedy: remedy))
    }

    func unsupported(_ place: String, at byteOffset: Int?, _ problem: String, _ remedy: String) -> CheckpointError {
        .unsupported(
            path: file.path,
            CheckpointProblem(place: place, byteOffset: byteOffset, problem: problem, remedy: remedy))
    }

    func truncated(_ place: String, at byteOffset: Int, _ what: String) -> CheckpointError {
        malformed(place, at: byteOffset, "the file ends before \(what)", "it is cut short: fetch it again")
    }

    /// The file does not begin with `GGUF`: says what it is, where that can be told.
    func foreignFormat(_ magic: UInt32) -> CheckpointError {
        let remedy = "give the path of a GGUF file"
        switch magic {
        case 0x6767_6D6C, 0x6767_6D66, 0x6767_6A74, 0x6767_6C61:
            return unsupported("header", at: 0, "a GGML file from before GGUF", "convert the model again to GGUF")
        case 0x7372_6576:  // "vers", as in "version https://git-lfs…"
            return malformed("header", at: 0, "a Git LFS pointer, not the model itself", "run git lfs pull")
        case 0x0403_4B50:  // "PK\3\4"
            return malformed("header", at: 0, "a zip archive (PyTorch checkpoint or wheel), not GGUF", remedy)
        default:
            return malformed("header", at: 0, "the file does not begin with the magic number GGUF", remedy)
        }
    }
}
