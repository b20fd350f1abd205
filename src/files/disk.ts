/** The file system of a file, and its free space. */
import { readFile, statfs } from 'node:fs/promises'
import { sep } from 'node:path'
import { folderOf } from './folders.js'

/** File systems on which an outbox is lost, or its lock and log can't be relied on. */
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

/** Why a file system is unsuited for an outbox; undefined if it may be used. */
export const whyUnsuited = (type: string): string | undefined => unsuited.find(([types]) => types.test(type))?.[1]

/** The kernel's file systems, where no file can be created even if the permissions allow it. */
const kernelTypes =
  /^(proc|sysfs|cgroup2?|devpts|debugfs|tracefs|securityfs|configfs|bpf|pstore|efivarfs|fusectl|binfmt_misc|selinuxfs)$/

/** Why no file can be created at a path; undefined if one may be. */
export async function whyUnmakeable(path: string): Promise<string | undefined> {
  const type = await fileSystemOf(path)
  return type !== undefined && kernelTypes.test(type) ? `${type} is the kernel's, and takes no files` : undefined
}

/** The type of the file system of a path, existing or not, such as `ext4`; undefined if Linux doesn't list it. */
export async function fileSystemOf(path: string): Promise<string | undefined> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  return typeIn(mounts, await folderOf(path))
}

/**
 * The type of the file system that a folder is on, by /proc/self/mountinfo; of several mounted at one place, the last
 * one (https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html).
 */
export function typeIn(mounts: string, folder: string): string | undefined {
  const above = mounts.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const place = (before.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    const isAbove = place === sep || `${folder}${sep}`.startsWith(`${place}${sep}`)
    return place !== '' && isAbove ? [{ place, type: after.split(' ')[0] }] : []
  })
  return above.toSorted((a, b) => a.place.length - b.place.length).at(-1)?.type
}

/** The free bytes, for this user, on the file system of a path, existing or not. */
export async function freeBytesAt(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(await folderOf(path))
  return bavail * bsize
}

/** Whether the file system of a path has no inode left for another file. Some have no fixed number of them. */
export async function isWithoutInodes(path: string): Promise<boolean> {
  const { files, ffree } = await statfs(await folderOf(path))
  return files > 0 && ffree === 0
}
