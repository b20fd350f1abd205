/** What a file's disk is like: its file system, by name, and its free space. */
import { readFile, statfs } from 'node:fs/promises'
import { sep } from 'node:path'
import { folderOf } from './volatile.js'

/** File systems on which an outbox is lost, or its lock and its log can't be relied on. */
const unsuited: readonly [RegExp, string][] = [
  [/^(tmpfs|ramfs|devtmpfs)$/, 'memory, which a restart of the machine empties'],
  [/^(overlay|aufs|unionfs|fuse\.fuse-overlayfs)$/, "a container's own layer, which goes with the container"],
  [
    /^(nfs\d?|cifs|smb\w*|ncpfs|afs|9p|ceph|lustre|beegfs|glusterfs)$/,
    "a network file system, where SQLite's lock and log can't be relied on",
  ],
  [
    /^fuse\.(sshfs|glusterfs|ceph-fuse|ceph|s3fs|rclone|gcsfuse|goofys|blobfuse2?|curlftpfs|davfs2?|juicefs)$/,
    "a network file system, where SQLite's lock and log can't be relied on",
  ],
]

/** Why a file system is no place for an outbox; undefined where it may be one. */
export const whyUnsuited = (type: string): string | undefined => unsuited.find(([types]) => types.test(type))?.[1]

/** File systems whose files are the kernel's: nobody makes one there, though a check of the rights says so. */
const kernels =
  /^(proc|sysfs|cgroup2?|devpts|debugfs|tracefs|securityfs|configfs|bpf|pstore|efivarfs|fusectl|binfmt_misc|selinuxfs)$/

/** Why no file can be made at a path; undefined where one may be. */
export async function whyUnmakeable(path: string): Promise<string | undefined> {
  const type = await fileSystemOf(path)
  return type !== undefined && kernels.test(type) ? `${type} is the kernel's, and takes no files` : undefined
}

/** The type of the file system that a path is on, or will be, such as `ext4`; undefined where Linux doesn't tell. */
export async function fileSystemOf(path: string): Promise<string | undefined> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  return typeIn(mounts, await folderOf(path))
}

/** https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html: of several at one place the last one counts. */
export function typeIn(mounts: string, folder: string): string | undefined {
  const found = mounts.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const place = (before.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    const isAbove = place === sep || `${folder}${sep}`.startsWith(`${place}${sep}`)
    return place !== '' && isAbove ? [{ place, type: after.split(' ')[0] }] : []
  })
  return found.toSorted((a, b) => a.place.length - b.place.length).at(-1)?.type
}

/** Bytes that this user may still write where a path is, or will be. */
export async function freeBytesAt(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(await folderOf(path))
  return bavail * bsize
}
