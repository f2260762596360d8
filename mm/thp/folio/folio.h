/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Folios: taking large ones apart.
 *
 * split.c splits one folio, deferred.c keeps the folios that should be split
 * when memory is short, debugfs.c splits on request.
 */
#ifndef MM_THP_FOLIO_H
#define MM_THP_FOLIO_H

#include "../map/map.h"

#endif /* MM_THP_FOLIO_H */
