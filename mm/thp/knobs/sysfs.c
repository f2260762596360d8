// SPDX-License-Identifier: GPL-2.0
/*
 * Knobs: /sys/kernel/mm/transparent_hugepage/.
 *
 * A row for each file: the words or the flag it stands for.  What cannot be
 * understood is refused and changes nothing.  The files are described in
 * Documentation/admin-guide/mm/transhuge.rst.
 */
#define pr_fmt(fmt) "huge_memory: " fmt

#include <linux/khugepaged.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "knobs.h"

/**
 * thp_emit_word() - one more word of a knob that has several
 * @buf: page of the file
 * @at: bytes in it so far
 * @word: the word
 * @chosen: it is the one that holds
 *
 * Context: any.
 * Return: bytes in @buf now.
 */
ssize_t thp_emit_word(char *buf, ssize_t at, const char *word, bool chosen)
{
	const char *blank = at ? " " : "";

	return at + sysfs_emit_at(buf, at, chosen ? "%s[%s]" : "%s%s", blank,
				  word);
}

/* ---- one of several words ---- */

struct thp_choice_file {
	struct kobj_attribute		attr;
	const struct thp_choices	*choices;
};

static const struct thp_choices *choices_of(struct kobj_attribute *attr)
{
	return container_of(attr, struct thp_choice_file, attr)->choices;
}

static ssize_t thp_choice_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	const struct thp_choices *choices = choices_of(attr);
	unsigned int i, chosen = thp_chosen(choices);
	ssize_t len = 0;

	for (i = 0; i < choices->nr; i++)
		len = thp_emit_word(buf, len, choices->words[i], i == chosen);
	return len + sysfs_emit_at(buf, len, "\n");
}

static ssize_t thp_choice_store(struct kobject *kobj,
				struct kobj_attribute *attr,
				const char *buf, size_t len)
{
	const struct thp_choices *choices = choices_of(attr);
	int i = __sysfs_match_string(choices->words, choices->nr, buf);
	int err = 0;

	if (i < 0)
		return -EINVAL;
	thp_choose(choices, i);
	if (choices == &thp_enabled_choices)
		err = start_stop_khugepaged();
	return err ?: len;
}

#define CHOICE_FILE(_name)						\
	static struct thp_choice_file thp_##_name##_file = {		\
		.attr = __ATTR(_name, 0644, thp_choice_show,		\
			       thp_choice_store),			\
		.choices = &thp_##_name##_choices,			\
	}

CHOICE_FILE(enabled);
CHOICE_FILE(defrag);

/* ---- yes or no ---- */

/**
 * single_hugepage_flag_show() - a flag as a file
 * @kobj: directory
 * @attr: file
 * @buf: page of the file
 * @flag: the flag
 *
 * Context: any.
 * Return: bytes in @buf.
 */
ssize_t single_hugepage_flag_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf,
				  enum transparent_hugepage_flag flag)
{
	return sysfs_emit(buf, "%d\n", thp_flag(flag));
}

/**
 * single_hugepage_flag_store() - set or clear a flag
 * @kobj: directory
 * @attr: file
 * @buf: "0" or "1"
 * @count: bytes in @buf
 * @flag: the flag
 *
 * Context: any.
 * Return: @count; -EINVAL, or -ERANGE for what no number of the machine can be,
 * and nothing is changed.
 */
ssize_t single_hugepage_flag_store(struct kobject *kobj,
				   struct kobj_attribute *attr,
				   const char *buf, size_t count,
				   enum transparent_hugepage_flag flag)
{
	unsigned long on;
	int err = kstrtoul(buf, 10, &on);

	if (err)
		return err;
	if (on > 1)
		return -EINVAL;
	thp_set_flags(BIT(flag), on ? BIT(flag) : 0);
	return count;
}

static ssize_t use_zero_page_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return single_hugepage_flag_show(kobj, attr, buf,
					 TRANSPARENT_HUGEPAGE_USE_ZERO_PAGE_FLAG);
}

static ssize_t use_zero_page_store(struct kobject *kobj,
				   struct kobj_attribute *attr,
				   const char *buf, size_t len)
{
	return single_hugepage_flag_store(kobj, attr, buf, len,
					  TRANSPARENT_HUGEPAGE_USE_ZERO_PAGE_FLAG);
}

static struct kobj_attribute thp_use_zero_page = __ATTR_RW(use_zero_page);

/* ---- folios that are mostly zeroes ---- */

static ssize_t shrink_underused_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", thp_underused_enabled());
}

static ssize_t shrink_underused_store(struct kobject *kobj,
				      struct kobj_attribute *attr,
				      const char *buf, size_t len)
{
	bool enabled;
	int err = kstrtobool(buf, &enabled);

	if (err)
		return err;
	thp_set_underused_enabled(enabled);
	return len;
}

static struct kobj_attribute thp_shrink_underused =
	__ATTR_RW(shrink_underused);

static ssize_t shrink_underused_max_zero_show(struct kobject *kobj,
					      struct kobj_attribute *attr,
					      char *buf)
{
	return sysfs_emit(buf, "%u\n", thp_underused_limit(HPAGE_PMD_ORDER));
}

static ssize_t shrink_underused_max_zero_store(struct kobject *kobj,
					       struct kobj_attribute *attr,
					       const char *buf, size_t len)
{
	unsigned int nr;
	int err = kstrtouint(buf, 10, &nr);

	return err ?: thp_set_underused_limit(nr) ?: len;
}

static struct kobj_attribute thp_shrink_underused_max_zero =
	__ATTR_RW(shrink_underused_max_zero);

/* ---- the directory ---- */

static ssize_t hpage_pmd_size_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", HPAGE_PMD_SIZE);
}

static struct kobj_attribute thp_hpage_pmd_size = __ATTR_RO(hpage_pmd_size);

static struct attribute *thp_attrs[] = {
	&thp_enabled_file.attr.attr,
	&thp_defrag_file.attr.attr,
	&thp_use_zero_page.attr,
	&thp_hpage_pmd_size.attr,
#ifdef CONFIG_SHMEM
	&shmem_enabled_attr.attr,
#endif
	&thp_shrink_underused.attr,
	&thp_shrink_underused_max_zero.attr,
	NULL,
};

static const struct attribute_group thp_attr_group = {
	.attrs = thp_attrs,
};

static const struct attribute_group *thp_attr_groups[] = {
	&thp_attr_group,
	&khugepaged_attr_group,
	NULL,
};

static struct kobject *thp_dir;

/**
 * thp_sysfs_init() - make the directory and what is in it
 *
 * Context: boot.
 * Return: 0, or a negative error number and nothing is left behind.
 */
int __init thp_sysfs_init(void)
{
	int err;

	thp_dir = kobject_create_and_add("transparent_hugepage", mm_kobj);
	if (!thp_dir) {
		pr_err("failed to create transparent hugepage kobject\n");
		return -ENOMEM;
	}

	err = sysfs_create_groups(thp_dir, thp_attr_groups);
	if (err) {
		pr_err("failed to register transparent hugepage group\n");
		goto put;
	}
	err = thp_sizes_init(thp_dir);
	if (err)
		goto remove;
	return 0;

remove:
	sysfs_remove_groups(thp_dir, thp_attr_groups);
put:
	kobject_put(thp_dir);
	return err;
}

/**
 * thp_sysfs_exit() - undo thp_sysfs_init()
 *
 * Context: boot.
 */
void __init thp_sysfs_exit(void)
{
	thp_sizes_exit();
	sysfs_remove_groups(thp_dir, thp_attr_groups);
	kobject_put(thp_dir);
}
