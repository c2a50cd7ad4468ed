import CommandSupport
import Foundation

/// Lines of standard input.
enum InputLines {
    /// Waits for the next line; nil at the end of the input. The wait occupies a thread of its own.
    static func next(prompt: String) async -> String? {
        if !prompt.isEmpty { Terminal.write(prompt) }
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: readLine()) }
        }
    }
}
